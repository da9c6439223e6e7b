// What the JavaScript client of Service Bus sees of a broker.
//
// usage: node contract.cjs CONNECTION_STRING
//
// Every scenario has entities of its own, made beforehand; all run at once. Prints one JSON object: of each
// scenario what it saw, or { error }.
"use strict";

const { ServiceBusClient } = require("@azure/service-bus");

const WAIT = { maxWaitTimeInMs: 10000 };
const bodies = (messages) => messages.map((message) => message.body);

async function receive(receiver, count) {
  const messages = [];
  while (messages.length < count) {
    const more = await receiver.receiveMessages(count - messages.length, WAIT);
    if (more.length === 0) break;
    messages.push(...more);
  }
  return messages;
}

async function refusal(promise) {
  try {
    await promise;
    return "no error";
  } catch (error) {
    return error.code;
  }
}

const scenarios = {
  async properties(client) {
    const sent = {
      body: { a: [1, "é"] },
      messageId: "m-1",
      correlationId: "c-1",
      contentType: "application/json",
      subject: "s",
      to: "t",
      replyTo: "r",
      partitionKey: "p",
      timeToLive: 300000,
      applicationProperties: { text: "é", whole: 7, flag: true, real: 1.5 },
    };
    await client.createSender("properties").sendMessages(sent);
    const [message] = await receive(client.createReceiver("properties"), 1);
    const seen = Object.fromEntries(Object.keys(sent).map((key) => [key, message[key]]));
    return {
      sent,
      seen,
      number: message.sequenceNumber.toNumber(),
      enqueued: message.enqueuedTimeUtc.getTime(),
      lockedFor: message.lockedUntilUtc - message.enqueuedTimeUtc,
      deliveries: message.deliveryCount,
      state: message.state,
    };
  },

  async batch(client) {
    const sender = client.createSender("batch");
    const batch = await sender.createMessageBatch();
    for (let index = 0; index < 200; index++) {
      if (!batch.tryAddMessage({ body: index, messageId: `${index}` })) throw new Error("the batch is full");
    }
    await sender.sendMessages(batch);
    await sender.sendMessages([{ body: 200 }, { body: 201 }]);
    const receiver = client.createReceiver("batch", { receiveMode: "receiveAndDelete" });
    const messages = await receive(receiver, 202);
    return { limit: batch.maxSizeInBytes, bodies: bodies(messages), left: (await receiver.peekMessages(1)).length };
  },

  async tooLarge(client) {
    const sender = client.createSender("tooLarge");
    const code = await refusal(sender.sendMessages({ body: Buffer.alloc(300000) }));
    await sender.sendMessages({ body: "small" });
    return { code, peeked: bodies(await client.createReceiver("tooLarge").peekMessages(5)) };
  },

  async settled(client) {
    const sender = client.createSender("settled");
    await sender.sendMessages(["complete", "abandon", "deadLetter", "defer"].map((body) => ({ body })));
    const receiver = client.createReceiver("settled");
    const [complete, abandon, dead, defer] = await receive(receiver, 4);
    await receiver.completeMessage(complete);
    await receiver.abandonMessage(abandon);
    await receiver.deadLetterMessage(dead, { deadLetterReason: "why", deadLetterErrorDescription: "because" });
    await receiver.deferMessage(defer);
    const [again] = await receive(receiver, 1);
    const [deferred] = await receiver.receiveDeferredMessages(defer.sequenceNumber);
    await receiver.completeMessage(deferred);
    const [buried] = await receive(client.createReceiver("settled", { subQueueType: "deadLetter" }), 1);
    return {
      again: [again.body, again.deliveryCount],
      deferred: [deferred.body, deferred.state],
      buried: [buried.body, buried.deadLetterReason, buried.deadLetterErrorDescription],
      missing: await refusal(receiver.receiveDeferredMessages(defer.sequenceNumber)),
    };
  },

  async locks(client) {
    await client.createSender("locks").sendMessages({ body: "x" });
    const receiver = client.createReceiver("locks", { maxAutoLockRenewalDurationInMs: 0 });
    const [message] = await receive(receiver, 1);
    const before = message.lockedUntilUtc.getTime();
    const renewed = (await receiver.renewMessageLock(message)).getTime();
    const [again] = await receive(receiver, 1);
    return {
      prolonged: renewed > before,
      deliveries: again.deliveryCount,
      lost: await refusal(receiver.completeMessage(message)),
      held: await refusal(receiver.completeMessage(again)),
    };
  },

  async peeked(client) {
    await client.createSender("peeked").sendMessages(["a", "b", "c"].map((body) => ({ body })));
    const receiver = client.createReceiver("peeked");
    const [first] = await receiver.peekMessages(1);
    const rest = await receiver.peekMessages(10);
    const again = await receiver.peekMessages(10, { fromSequenceNumber: first.sequenceNumber });
    return { first: first.body, rest: bodies(rest), again: bodies(again), received: bodies(await receive(receiver, 3)) };
  },

  async scheduled(client) {
    const sender = client.createSender("scheduled");
    const receiver = client.createReceiver("scheduled");
    const later = await sender.scheduleMessages([{ body: "never" }], new Date(Date.now() + 600000));
    const due = Date.now() + 1500;
    await sender.scheduleMessages([{ body: "one" }, { body: "two" }], new Date(due));
    const waiting = (await receiver.peekMessages(10)).map((message) => message.state);
    await sender.cancelScheduledMessages(later);
    const messages = await receive(receiver, 2);
    return {
      waiting,
      bodies: bodies(messages),
      early: messages.filter((message) => message.enqueuedTimeUtc.getTime() < due - 1).length,
      left: (await receiver.peekMessages(10, { fromSequenceNumber: later[0] })).length - messages.length,
    };
  },

  async streamed(client) {
    const sender = client.createSender("streamed");
    const receiver = client.createReceiver("streamed");
    const got = [];
    await new Promise((resolve, reject) => {
      receiver.subscribe({
        async processMessage(message) {
          got.push(message.body);
          if (got.length === 60) resolve();
        },
        async processError({ error }) {
          reject(error);
        },
      }, { maxConcurrentCalls: 5 });
      sender.sendMessages(Array.from({ length: 60 }, (_, body) => ({ body }))).catch(reject);
    });
    await receiver.close();
    return { got: got.sort((a, b) => a - b), left: (await client.createReceiver("streamed").peekMessages(60)).length };
  },

  async sessions(client) {
    const sender = client.createSender("sessions");
    const all = ["a", "b", "a", "b", "a"].map((sessionId, body) => ({ body, sessionId }));
    await sender.sendMessages(all);
    const first = await client.acceptSession("sessions", "a");
    const taken = await refusal(client.acceptSession("sessions", "a"));
    const next = await client.acceptNextSession("sessions", { maxAutoLockRenewalDurationInMs: 0 });
    const nothing = await first.getSessionState();
    await first.setSessionState({ at: 3 });
    const before = first.sessionLockedUntilUtc;
    const ofFirst = await receive(first, 3);
    const ofNext = await receive(next, 2);
    for (const message of ofFirst) await first.completeMessage(message);
    await next.abandonMessage(ofNext[0]);
    const [again] = await receive(next, 1);
    const renewed = await first.renewSessionLock();
    await first.close();
    const second = await client.acceptSession("sessions", "a");
    return {
      a: bodies(ofFirst),
      b: bodies(ofNext),
      ids: [first.sessionId, next.sessionId, ofNext[0].sessionId],
      again: [again.body, again.deliveryCount],
      taken,
      nothing: nothing ?? null,
      state: await second.getSessionState(),
      prolonged: renewed >= before,
      withoutId: await refusal(sender.sendMessages({ body: "x" })),
      withoutSession: await refusal(client.createReceiver("sessions").receiveMessages(1, { maxWaitTimeInMs: 500 })),
    };
  },

  async topics(client) {
    const rules = client.createRuleManager("topics", "big");
    await rules.deleteRule("$Default");
    await rules.createRule("size", { sqlExpression: "size > 5" },
      { sqlExpression: "SET sys.Label = 'big'" });
    await client.createRuleManager("topics", "red").deleteRule("$Default");
    await client.createRuleManager("topics", "red")
      .createRule("colour", { subject: "red", applicationProperties: { kind: "ball" } });
    const listed = [];
    for await (const rule of rules.listRules()) listed.push([rule.name, rule.filter.sqlExpression]);
    const sender = client.createSender("topics");
    const balls = [[1, "red"], [9, "red"], [9, "blue"]];
    await sender.sendMessages(balls.map(([size, subject], body) =>
      ({ body, subject, applicationProperties: { size, kind: "ball" } })));
    const receiver = client.createReceiver("topics", "all");
    const all = await receive(receiver, 3);
    const big = await receive(client.createReceiver("topics", "big"), 2);
    const red = await receive(client.createReceiver("topics", "red"), 2);
    await receiver.deadLetterMessage(all[0], { deadLetterReason: "why" });
    const [dead] = await receive(client.createReceiver("topics", "all", { subQueueType: "deadLetter" }), 1);
    return {
      all: bodies(all),
      big: bodies(big),
      red: bodies(red),
      action: big.map((message) => message.subject),
      listed,
      dead: [dead.body, dead.deadLetterReason],
    };
  },

  async missing(client) {
    return { code: await refusal(client.createSender("no-such-queue").sendMessages({ body: 1 })) };
  },
};

async function run(connection, name) {
  const client = new ServiceBusClient(connection, { retryOptions: { maxRetries: 0 } });
  try {
    return await scenarios[name](client);
  } catch (error) {
    return { error: `${error.code ?? error.name}: ${error.message}` };
  } finally {
    await client.close();
  }
}

(async () => {
  const names = Object.keys(scenarios);
  const seen = await Promise.all(names.map((name) => run(process.argv[2], name)));
  process.stdout.write(JSON.stringify(Object.fromEntries(names.map((name, index) => [name, seen[index]]))));
  process.exit(0);
})();
