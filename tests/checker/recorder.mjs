// Writes down what clients and producers do and see, in the form that check.mjs reads. The harness's clients take one
// (`signedIn(gateway, who, { recorder })`); producers are watched:
//
//   const recorder = new Recorder();
//   recorder.watch(producer);
//   const client = await signedIn(gateway, { user: 'alice' }, { recorder });
//   …
//   recorder.verify();            // after all clients are closed; fails with every violation
//
// `partial`: for clients alone, whose producers are not watched. The harness keeps such a one for each gateway.
import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check } from './check.mjs';

const EVENT_ID = /^[A-Za-z0-9._-]+:\d+:\d+$/;

// What an event is called in a history: its id, and for that of a topic that was made anew, where ids come again, also
// in which life the topic was: the value's `life`.
export const eventName = (id, value) => value?.life > 1 ? `life-${value.life}.${id}` : id;

// The built-in routes, as the protocol has them and not as the code does.
const routes = {
    'price.updates': ({ chainId, token }) => ['prices', ...(chainId === undefined ? [] : [`prices:${chainId}:${token}`])],
    'order.updates': ({ userId, orderId }) => [`orders:${userId}`, `order:${orderId}`],
    'portfolio.updates': ({ userId }) => [`portfolio:${userId}`],
    'trade.updates': () => ['trades'],
    'notification.updates': ({ userId }) => [userId === undefined ? 'notifications' : `notifications:${userId}`],
    'user-action.updates': () => ['user_actions'],
    'system.alerts': () => ['system_alerts'],
};
const own = { orders: 'orders', portfolio: 'portfolio', user_specific: 'user' };

export class Recorder {
    unplaced = new Set(); // topics of which positions say nothing sure, since they were made anew
    entries = [{ kind: 'conflated', topics: ['price.updates'] }];
    #partial;
    #numbers = new Map();
    #rooms = new Map();

    constructor({ partial = false } = {}) {
        this.#partial = partial;
        if (partial)
            this.entries.push({ kind: 'partial' });
    }

    #note(client, kind, more = {}) {
        if (!this.#numbers.has(client)) {
            this.#numbers.set(client, `c${this.#numbers.size + 1}`);
            this.entries.push({ kind: 'open', conn: this.#numbers.get(client) });
        }
        this.entries.push({ kind, conn: this.#numbers.get(client), ...more });
    }

    sent(topic, value, id, rooms = routes[topic]?.(value?.data ?? value)) {
        if (rooms)
            this.entries.push({ kind: 'sent', id: eventName(id, value), rooms });
    }

    // From now on what it sends is recorded, once Kafka has it.
    watch(producer) {
        const send = producer.send.bind(producer);
        producer.send = async (topic, value, ...more) => {
            const result = await send(topic, value, ...more);
            this.sent(topic, value, result.id);
            return result;
        };
        return producer;
    }

    received(client, message) {
        const { type, id, data = {} } = message;
        const notes = {
            auth_success: () => this.#note(client, 'authenticated', { user: data.user.id }),
            auto_subscribed: () => this.#joined(client, data),
            subscribed: () => {
                this.#rooms.set(`${client.user} ${data.channel}`, data.rooms);
                this.#joined(client, data);
            },
            unsubscribed: () => this.#roomsOf(client, data.channel).forEach(room => this.#note(client, 'left', { room })),
            pong: () => this.#position(client, data),
            resumed: () => this.#note(client, 'resumed', { recovered: data.recovered, count: data.count ?? 0 }),
            published: () => this.#note(client, 'published', { id: data.id }),
            skipped: () => this.#note(client, 'skipped', { count: data.count, reason: data.reason }),
        };
        if (Object.hasOwn(notes, type) && !EVENT_ID.test(id))
            notes[type]();
        else if (EVENT_ID.test(id))
            this.#note(client, 'event', { id: eventName(id, data), ...(message.snapshot ? { snapshot: true } : {}) });
    }

    sending(client, type, data) {
        if (type === 'unsubscribe')
            for (const channel of data?.channels ?? [data?.channel])
                this.#roomsOf(client, channel).forEach(room => this.#note(client, 'leaving', { room }));
        const position = type === 'resume' ? data?.position : type === 'authenticate' ? data?.resume : undefined;
        if (position?.topics)
            this.#note(client, 'resume', { topics: this.#placed(position.topics) }); // a client moves its own on
    }

    closed(client) {
        this.#note(client, 'close', client.ended?.code === 1006 ? { cut: true } : {});
    }

    // Everything up to this event must have come by now.
    seen(client, id) {
        this.#note(client, 'seen', { id });
    }

    #joined(client, { rooms, position }) {
        rooms.forEach(room => this.#note(client, 'joined', { room }));
        this.#position(client, { position });
    }

    #position(client, { position }) {
        if (position?.topics)
            this.#note(client, 'position', { topics: this.#placed(position.topics) });
    }

    #placed(topics) {
        return structuredClone(Object.fromEntries(Object.entries(topics).filter(([topic]) => !this.unplaced.has(topic))));
    }

    // The topic has been made anew: who is connected hears all of this life, from its first event.
    anew(client, topic, life) {
        this.#note(client, 'position', { topics: { [eventName(topic, { life })]: [] } });
    }

    #roomsOf(client, channel) {
        const known = this.#rooms.get(`${client.user} ${channel}`);
        return known ?? (own[channel] ? [`${own[channel]}:${client.user}`]
            : channel === 'notifications' ? [channel, `${channel}:${client.user}`] : [channel]);
    }

    // One JSON object a line, for `node tests/checker/check.mjs`.
    write(file) {
        writeFileSync(file, this.entries.map(entry => `${JSON.stringify(entry)}\n`).join(''));
    }

    // At least so many events, or it has proven nothing.
    verify({ events = this.#partial ? 0 : 1 } = {}) {
        const violations = check(this.entries);
        if (violations.length > 0) {
            const file = join(mkdtempSync(join(tmpdir(), 'moonx-history-')), 'history.jsonl');
            this.write(file);
            assert.fail(`${violations.length} violations, history in ${file}:\n`
                + violations.slice(0, 20).map(({ conn, rule, text }) => `${conn}: ${rule}: ${text}`).join('\n'));
        }
        const recorded = this.entries.filter(({ kind }) => kind === 'event').length;
        assert.ok(recorded >= events, `only ${recorded} events were recorded`);
    }
}
