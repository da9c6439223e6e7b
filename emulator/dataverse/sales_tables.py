"""The tables of the sales side: account, contact, opportunity, product."""

from typing import Final

from .metadata import (
    Column,
    Table,
    address,
    build,
    choice,
    dates,
    image,
    lookup,
    money,
    plain_columns,
    two_options,
)

_ACTIVE: Final = {0: "Active", 1: "Inactive"}
_ACTIVE_STATUSES: Final = {0: {1: "Active"}, 1: {2: "Inactive"}}
_INDUSTRIES: Final = (
    "Accounting",
    "Agriculture",
    "Broadcasting",
    "Brokers",
    "Chemicals & Plastics",
    "Consulting",
)

ACCOUNT: Final[Table] = build(
    "account",
    plain_columns("String", "name", fill=1),
    plain_columns("String", "accountnumber emailaddress1 telephone1 websiteurl", fill=0.7),
    plain_columns("String", "telephone2 fax tickersymbol sic primarytwitterid yominame", fill=0.2),
    plain_columns("Memo", "description", fill=0.35),
    plain_columns("Integer", "numberofemployees importsequencenumber", fill=0.5),
    plain_columns("Integer", "sharesoutstanding", fill=0.1),
    money("revenue creditlimit marketcap aging30 aging60"),
    choice("industrycode", *_INDUSTRIES, fill=0.7),
    choice("accountcategorycode", "Preferred Customer", "Standard", fill=0.4),
    choice("customertypecode", "Competitor", "Consultant", "Customer", "Investor", "Prospect", fill=0.6),
    choice("paymenttermscode", "Net 30", "2% 10, Net 30", "Net 45", "Net 60", fill=0.4),
    choice("ownershipcode", "Public", "Private", "Subsidiary", "Other", fill=0.3),
    choice("preferredcontactmethodcode", "Any", "Email", "Phone", "Fax", "Mail", fill=1),
    choice("cr1_markets", "Europe", "Amériques", "アジア", "Oceania", "Middle East", many=True, fill=0.4),
    two_options("donotemail donotphone donotfax", yes="Do Not Allow", no="Allow"),
    two_options("creditonhold marketingonly", fill=0.9),
    lookup("parentaccountid", "account", fill=0.3),
    lookup("primarycontactid", "contact", fill=0.6),
    lookup("originatingopportunityid", "opportunity", fill=0.1),
    dates("lastonholdtime", fill=0.1),
    dates("lastusedincampaign cr1_contractstart", "DateOnly"),
    dates("cr1_officeopens", "TimeZoneIndependent"),
    plain_columns("BigInt", "cr1_externalkey", fill=0.4),
    plain_columns("Decimal", "cr1_loyaltyfactor", scale=10, fill=0.4),
    plain_columns("Double", "cr1_riskscore", fill=0.4),
    address("address1", fill=0.7),
    address("address2", fill=0.15),
    image(),
    primary_name="name",
    states=_ACTIVE,
    statuses=_ACTIVE_STATUSES,
)
"""Companies."""

CONTACT: Final[Table] = build(
    "contact",
    plain_columns("String", "firstname lastname", fill=1),
    plain_columns("String", "jobtitle emailaddress1 mobilephone", fill=0.7),
    plain_columns("String", "telephone1 department nickname salutation governmentid", fill=0.25),
    (Column("fullname", "String", entered=False), Column("yomifullname", "String", entered=False)),
    plain_columns("Memo", "description", fill=0.2),
    plain_columns("Integer", "numberofchildren importsequencenumber", fill=0.2),
    money("annualincome creditlimit", fill=0.25),
    choice("gendercode", "Male", "Female", "Diverse", fill=0.4),
    choice("familystatuscode", "Single", "Married", "Divorced", "Widowed", fill=0.3),
    choice("preferredcontactmethodcode", "Any", "Email", "Phone", "Fax", "Mail", fill=1),
    choice("cr1_interests", "Sailing", "Fußball", "音楽", "Théâtre", "Chess; blitz", many=True, fill=0.4),
    two_options("donotemail donotbulkemail", yes="Do Not Allow", no="Allow"),
    lookup("parentcustomerid", "account", "contact", kind="Customer", fill=0.8),
    lookup("preferredsystemuserid", "systemuser", fill=0.2),
    dates("birthdate anniversary", "DateOnly"),
    dates("lastonholdtime", fill=0.1),
    plain_columns("Double", "cr1_engagement", fill=0.4),
    address("address1", fill=0.5),
    image(),
    primary_name="fullname",
    states=_ACTIVE,
    statuses=_ACTIVE_STATUSES,
)
"""People."""

OPPORTUNITY: Final[Table] = build(
    "opportunity",
    plain_columns("String", "name", fill=1),
    plain_columns("String", "cr1_reference stepname", fill=0.5),
    plain_columns("Memo", "description currentsituation customerneed proposedsolution", fill=0.3),
    plain_columns("Integer", "closeprobability", fill=0.8),
    plain_columns("BigInt", "cr1_sourcekey", fill=0.3),
    plain_columns("Decimal", "discountpercentage", scale=5, fill=0.4),
    money("estimatedvalue actualvalue budgetamount totalamount", fill=0.5),
    choice("opportunityratingcode", "Hot", "Warm", "Cold", fill=0.9),
    choice("salesstage", "Qualify", "Develop", "Propose", "Close", first=0, fill=0.9),
    choice("purchaseprocess", "Individual", "Committee", "Unknown", first=0, fill=0.4),
    choice("cr1_competitors", "Northwind", "Fabrikam", "Tailspin", many=True, first=100_000_000, fill=0.3),
    two_options("decisionmaker evaluatefit isrevenuesystemcalculated"),
    lookup("customerid", "account", "contact", kind="Customer", fill=1),
    lookup("parentaccountid", "account", fill=0.6),
    lookup("parentcontactid", "contact", fill=0.5),
    dates("estimatedclosedate actualclosedate", "DateOnly", fill=0.6),
    dates("schedulefollowup_qualify finaldecisiondate"),
    primary_name="name",
    states={0: "Open", 1: "Won", 2: "Lost"},
    statuses={0: {1: "In Progress", 2: "On Hold"}, 1: {3: "Won"}, 2: {4: "Canceled", 5: "Out-Sold"}},
)
"""Deals in the making."""

PRODUCT: Final[Table] = build(
    "product",
    plain_columns("String", "name productnumber", fill=1),
    plain_columns("String", "suppliername vendorpartnumber size producturl", fill=0.4),
    plain_columns("Memo", "description", fill=0.4),
    plain_columns("Integer", "quantitydecimal", fill=1),
    plain_columns("Decimal", "quantityonhand stockweight stockvolume", scale=5, fill=0.5),
    money("price currentcost standardcost", fill=0.7),
    choice("producttypecode", "Sales Inventory", "Miscellaneous Charges", "Services", "Flat Fees", fill=0.9),
    choice("productstructure", "Product", "Product Family", "Product Bundle", fill=1),
    choice("cr1_certificates", "CE", "ISO 9001", "RoHS", "生态", many=True, fill=0.4),
    two_options("iskit isstockitem"),
    lookup("parentproductid", "product", fill=0.2),
    dates("validfromdate validtodate", "DateOnly", fill=0.5),
    image(),
    primary_name="name",
    states={0: "Active", 1: "Retired", 2: "Draft"},
    statuses={0: {1: "Active"}, 1: {2: "Retired"}, 2: {3: "Draft"}},
)
"""What is sold."""
