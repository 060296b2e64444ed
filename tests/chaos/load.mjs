// What is sent while things break, and what Kafka holds of it in the end: that, and not what a producer was told, is
// what clients must have heard.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { eventName } from '../checker/recorder.mjs';
import { Producer } from '../kafka/kafka.mjs';
import { pause } from './random.mjs';

const TICK_MS = 10;
const ONCE_MS = 300_000;
const HISTORY_MS = 330_000; // a gateway's HISTORY_SECONDS and more
export const TOPICS = { 'order.updates': 3, 'trade.updates': 2, 'price.updates': 2, 'gateway.events': 2, 'gateway.control': 1, 'gateway.dead-letter': 1 };
export const PRODUCED = ['order.updates', 'trade.updates', 'price.updates'];

// `alone`: with a price of a key of its own, which no other makes superfluous.
const valueOf = (topic, user, n, padding, life, alone) => ({
    'order.updates': { orderId: `o${n}`, userId: user, status: 'open', padding },
    'trade.updates': { tradeId: `t${n}`, userId: user, life, padding },
    'price.updates': { token: alone ? `L${n}` : `T${n % 7}`, chainId: 1, price: `${n}.50`, padding },
})[topic];

export class Load {
    #producer;
    #pending = new Set();
    #running = true;
    #n = 0;
    #held = new Set(); // topics to which nothing is sent now
    #lives = {};       // of topics that were made anew: in which life they are
    confirmed = 0; // so many events are in Kafka
    failures = []; // of sends that Kafka has not confirmed: they may be in Kafka, or not

    since = Date.now() - HISTORY_MS;

    // rate: events a second. padding: bytes added to each. sent: a list, to which goes what Kafka has confirmed: {topic,
    // value, id, at}.
    constructor({ kafka, wanderers, random, rate, padding = 0, sent }) {
        Object.assign(this, { kafka, wanderers, random, rate, sent, padding: 'x'.repeat(padding) });
        this.#producer = new Producer(kafka.bootstrap);
        this.ended = this.#run();
    }

    async #run() {
        const begin = performance.now();
        while (this.#running) {
            const due = (performance.now() - begin) * this.rate / 1000;
            while (this.#n < due)
                this.#sendSome();
            this.random.of(this.wanderers).publish();
            this.random.of(this.wanderers).ping();
            await pause(TICK_MS);
        }
        await Promise.all(this.#pending);
    }

    #sendSome() {
        const topic = this.random.of(PRODUCED), { user } = this.random.of(this.wanderers);
        if (this.#held.has(topic))
            this.#n++;
        else
            this.#send(topic, user);
    }

    #send(topic, user, { alone = false, ...options } = {}) {
        const value = valueOf(topic, user, this.#n++, this.padding, this.#lives[topic], alone);
        const sent = this.#producer.send(topic, value, options).then(({ id }) => {
            this.confirmed++;
            this.sent.push({ topic, value, id, at: Date.now() });
            return { id, value };
        }, error => {
            this.failures.push(error.message);
            return {};
        }).finally(() => this.#pending.delete(sent));
        this.#pending.add(sent);
        return sent;
    }

    // So many bytes at once, until Kafka has them. What the recorder calls the last event; everybody hears it.
    async burst(bytes) {
        for (let sent = 0; sent < bytes; sent += this.padding.length)
            this.#sendSome();
        await this.flushed();
        return this.one('trade.updates');
    }

    // One more, to this partition or any, when Kafka has it: what the recorder calls it. The first client hears it.
    async one(topic, partition) {
        const { id, value } = await this.#send(topic, this.wanderers[0].user, { partition, alone: true });
        return eventName(id, value);
    }

    // Until Kafka has everything that was sent so far.
    async flushed() {
        await Promise.all(this.#pending);
    }

    async hold(topic) {
        this.#held.add(topic);
        await this.flushed();
    }

    // The topic is another one now, with offsets from 0: its values say so, since ids come again. In which life it is.
    anew(topic) {
        this.#lives[topic] = (this.#lives[topic] ?? 1) + 1;
        this.#held.delete(topic);
        return this.#lives[topic];
    }

    async stop() {
        this.#running = false;
        await this.ended;
    }

    // One more event in each partition for each user who hears it: {user, name}, named as the recorder names it. Whoever
    // has them all has come to the end.
    async last(partitions) {
        const users = [...new Set(this.wanderers.map(({ user }) => user))];
        const sends = users.flatMap(user => PRODUCED.flatMap(topic =>
            Array.from({ length: partitions[topic] }, async (_, partition) => {
                const { id, value } = await this.#send(topic, user, { partition, alone: true });
                return { name: eventName(id, value), user: topic === 'order.updates' ? user : undefined };
            })));
        return Promise.all(sends);
    }

    close() {
        return this.#producer.stop();
    }
}

// Each message of a topic that a host knows: those of this run, and what its history held when it began. {id, value, at}: when
// its producer sent it.
async function messagesOf(kafka, topic, since) {
    const { stdout } = await promisify(execFile)('kcat',
        ['-b', kafka.bootstrap, '-C', '-t', topic, '-o', `s@${since}`, '-e', '-q', '-f', '%t:%p:%o\t%T\t%s\n'], { maxBuffer: 1 << 30 });
    return stdout.split('\n').filter(Boolean).map(line => {
        const [id, at] = line.split('\t', 2);
        return { id, at: Number(at), value: JSON.parse(line.slice(id.length + at.length + 2)) };
    });
}

// Everything that Kafka has, or had, into the history. What a client said twice with one id within five minutes of message
// time counts once: nobody hears the second. How often something was said.
export async function recordSent(kafka, recorder, { sent, since }) {
    const said = new Map(), known = new Set();
    const record = (topic, value, id) => {
        const name = eventName(id, value);
        if (!known.has(name))
            recorder.sent(topic, value, id);
        known.add(name);
    };
    sent.filter(({ at }) => at >= since).forEach(({ topic, value, id }) => record(topic, value, id));
    for (const topic of PRODUCED)
        for (const { id, value } of await messagesOf(kafka, topic, since))
            record(topic, value, id);
    for (const { id, at, value: { room, from, data } } of await messagesOf(kafka, 'gateway.events', since)) {
        const once = `${from} ${data.n}`, again = Math.abs(at - said.get(once)) <= ONCE_MS;
        recorder.sent('gateway.events', null, id, again ? [] : [room]);
        if (!again)
            said.set(once, at);
    }
    return said.size;
}
