"""The definition of the table account, as the Web API words it (a part of it)."""

from typing import Any

from .server import Dataverse, as_json

_DEFINITION = "EntityDefinitions(LogicalName='account')"
_CAST = f"{_DEFINITION}/Attributes/Microsoft.Dynamics.CRM."
_OPTIONS = "&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)"


def attribute(name: str, kind: str, kind_name: str = "", of: str | None = None) -> dict[str, Any]:
    return {
        "@odata.type": f"#Microsoft.Dynamics.CRM.{kind}AttributeMetadata",
        "LogicalName": name,
        "AttributeType": kind,
        "AttributeTypeName": {"Value": kind_name or f"{kind}Type"},
        "AttributeOf": of,
        "MetadataId": "8d2c1d5a-0000-4000-8000-000000000001",
    }


def label(text: str | None) -> dict[str, Any]:
    told = None if text is None else {"Label": text, "LanguageCode": 1033, "IsManaged": True}
    return {"LocalizedLabels": [told] if told else [], "UserLocalizedLabel": told}


def options(**labels: str) -> dict[str, Any]:
    return {
        "Options": [{"Value": int(code[1:]), "Label": label(text)} for code, text in labels.items()],
        "MetadataId": "b994cdd8-0000-4000-8000-000000000001",
    }


ATTRIBUTES = [
    attribute("accountid", "Uniqueidentifier"),
    attribute("name", "String"),
    attribute("description", "Memo"),
    attribute("revenue", "Money"),
    attribute("exchangerate", "Decimal"),
    attribute("address1_latitude", "Double"),
    attribute("numberofemployees", "Integer"),
    attribute("versionnumber", "BigInt"),
    attribute("donotemail", "Boolean"),
    attribute("donotemailname", "Virtual", of="donotemail"),
    attribute("statecode", "State"),
    attribute("statecodename", "Virtual", of="statecode"),
    attribute("statuscode", "Status"),
    attribute("industrycode", "Picklist"),
    attribute("industrycodename", "Virtual", of="industrycode"),
    attribute("new_tags", "Virtual", "MultiSelectPicklistType"),
    attribute("new_tagsname", "Virtual", of="new_tags"),
    attribute("primarycontactid", "Lookup"),
    attribute("primarycontactidname", "String", of="primarycontactid"),
    attribute("primarycontactidyominame", "String", of="primarycontactid"),
    attribute("ownerid", "Owner"),
    attribute("owneridname", "String", of="ownerid"),
    attribute("owneridtype", "EntityName", of="ownerid"),
    attribute("createdon", "DateTime"),
    attribute("modifiedon", "DateTime"),
    attribute("new_founded", "DateTime"),
    attribute("entityimage", "Virtual", "ImageType"),
    attribute("entityimage_url", "String", of="entityimageid"),
    attribute("new_contract", "Virtual", "FileType"),
    attribute("new_formula", "Virtual", "VirtualType"),
]


def serve(dataverse: Dataverse) -> None:
    """Let a server tell the definition."""

    def tell(path: str, value: object) -> None:
        dataverse.answers[path] = as_json({"@odata.context": f"{dataverse.url}/$metadata", "value": value})

    def cast(kind: str, *found: dict[str, Any], select: str = "", expand: str = "") -> None:
        tell(f"{_CAST}{kind}AttributeMetadata?$select=LogicalName{select}{expand}", list(found))

    dataverse.answers[
        f"{_DEFINITION}?$select=LogicalName,EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute"
        "&$expand=Attributes($select=LogicalName,AttributeType,AttributeTypeName,AttributeOf)"
    ] = as_json(
        {
            "LogicalName": "account",
            "EntitySetName": "accounts",
            "PrimaryIdAttribute": "accountid",
            "PrimaryNameAttribute": "name",
            "Attributes": ATTRIBUTES,
        }
    )
    cast(
        "String",
        {"LogicalName": "name", "MaxLength": 160},
        {"LogicalName": "owneridname", "MaxLength": 100},
        select=",MaxLength",
    )
    cast("Memo", {"LogicalName": "description", "MaxLength": 2000}, select=",MaxLength")
    cast("Decimal", {"LogicalName": "exchangerate", "Precision": 10}, select=",Precision")
    cast("Double", {"LogicalName": "address1_latitude", "Precision": 5}, select=",Precision")
    cast("Money", {"LogicalName": "revenue", "Precision": 2}, select=",Precision")
    cast(
        "DateTime",
        {"LogicalName": "createdon", "DateTimeBehavior": {"Value": "UserLocal"}},
        {"LogicalName": "modifiedon", "DateTimeBehavior": {"Value": "UserLocal"}},
        {"LogicalName": "new_founded", "DateTimeBehavior": {"Value": "DateOnly"}},
        select=",DateTimeBehavior",
    )
    cast(
        "Lookup",
        {"LogicalName": "primarycontactid", "Targets": ["contact"]},
        {"LogicalName": "ownerid", "Targets": ["team", "systemuser"]},
        select=",Targets",
    )
    held = {"LogicalName": "industrycode", "OptionSet": options(_2="Agriculture", _1="Accounting")}
    cast("Picklist", {**held, "GlobalOptionSet": None}, expand=_OPTIONS)
    shared = {"LogicalName": "new_tags", "OptionSet": None, "GlobalOptionSet": options(_1="Red", _3="Blue")}
    cast("MultiSelectPicklist", shared, expand=_OPTIONS)
    cast("State", {"LogicalName": "statecode", "OptionSet": options(_0="Active", _1="Off")}, expand=_OPTIONS)
    unnamed = {"Options": [{"Value": 1, "Label": label("Active")}, {"Value": 2, "Label": label(None)}]}
    cast("Status", {"LogicalName": "statuscode", "OptionSet": unnamed}, expand=_OPTIONS)
    both = {
        "TrueOption": {"Value": 1, "Label": label("Do Not Allow")},
        "FalseOption": {"Value": 0, "Label": label("Allow")},
    }
    cast(
        "Boolean",
        {"LogicalName": "donotemail", "OptionSet": both, "GlobalOptionSet": None},
        expand="&$expand=OptionSet($select=TrueOption,FalseOption)"
        ",GlobalOptionSet($select=TrueOption,FalseOption)",
    )
    pairs = [
        ("accountleads_association", "accountleads", "account", "accountid", "lead", "leadid"),
        ("listcontact_association", "listmember", "list", "listid", "contact", "entityid"),
    ]
    names = (
        "SchemaName",
        "IntersectEntityName",
        "Entity1LogicalName",
        "Entity1IntersectAttribute",
        "Entity2LogicalName",
        "Entity2IntersectAttribute",
    )
    tell(
        "RelationshipDefinitions/Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata"
        f"?$select={','.join(names)}",
        [dict(zip(names, pair, strict=True)) for pair in pairs],
    )
    tell("EntityDefinitions?$select=LogicalName", [{"LogicalName": "account"}])


EXPECTED: dict[str, Any] = {
    "entity_set": "accounts",
    "primary_id": "accountid",
    "primary_name": "name",
    "columns": {
        "accountid": {"attribute_type": "Uniqueidentifier"},
        "address1_latitude": {"attribute_type": "Double", "precision": 5},
        "createdon": {"attribute_type": "DateTime", "date_time_behavior": "UserLocal"},
        "description": {"attribute_type": "Memo", "max_length": 2000},
        "donotemail": {"attribute_type": "Boolean", "options": {"0": "Allow", "1": "Do Not Allow"}},
        "entityimage": {"attribute_type": "Image"},
        "entityimage_url": {"attribute_type": "String", "attribute_of": "entityimageid"},
        "exchangerate": {"attribute_type": "Decimal", "precision": 10},
        "industrycode": {"attribute_type": "Picklist", "options": {"1": "Accounting", "2": "Agriculture"}},
        "modifiedon": {"attribute_type": "DateTime", "date_time_behavior": "UserLocal"},
        "name": {"attribute_type": "String", "max_length": 160},
        "new_contract": {"attribute_type": "File"},
        "new_founded": {"attribute_type": "DateTime", "date_time_behavior": "DateOnly"},
        "new_tags": {"attribute_type": "MultiSelectPicklist", "options": {"1": "Red", "3": "Blue"}},
        "numberofemployees": {"attribute_type": "Integer"},
        "ownerid": {"attribute_type": "Owner", "targets": ["systemuser", "team"]},
        "owneridtype": {"attribute_type": "EntityName", "attribute_of": "ownerid"},
        "primarycontactid": {"attribute_type": "Lookup", "targets": ["contact"]},
        "primarycontactidyominame": {"attribute_type": "String", "attribute_of": "primarycontactid"},
        "revenue": {"attribute_type": "Money", "precision": 2},
        "statecode": {"attribute_type": "State", "options": {"0": "Active", "1": "Off"}},
        "statuscode": {"attribute_type": "Status", "options": {"1": "Active"}},
        "versionnumber": {"attribute_type": "BigInt"},
    },
}
"""What a metadata file says of it."""
