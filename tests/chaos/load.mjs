// What is sent while things break, and what Kafka holds of it in the end: that, and not what a producer was told, is
// what clients must have heard.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Producer } from '../kafka/kafka.mjs';
import { pause } from './random.mjs';

const TICK_MS = 10;
export const TOPICS = { 'order.updates': 3, 'trade.updates': 2, 'price.updates': 2, 'gateway.events': 2, 'gateway.control': 1, 'gateway.dead-letter': 1 };
const PRODUCED = ['order.updates', 'trade.updates', 'price.updates'];

const valueOf = (topic, user, n, padding) => ({
    'order.updates': { orderId: `o${n}`, userId: user, status: 'open', padding },
    'trade.updates': { tradeId: `t${n}`, userId: user, padding },
    'price.updates': { token: `T${n % 7}`, chainId: 1, price: `${n}.50`, padding },
})[topic];

export class Load {
    #producer;
    #pending = new Set();
    #running = true;
    #n = 0;
    failures = []; // of sends that Kafka has not confirmed: they may be in Kafka, or not

    // rate: events a second. padding: bytes added to each.
    constructor({ kafka, wanderers, random, rate, padding = 0 }) {
        Object.assign(this, { kafka, wanderers, random, rate, padding: 'x'.repeat(padding) });
        this.#producer = new Producer(kafka.bootstrap);
        this.ended = this.#run();
    }

    async #run() {
        const begin = performance.now();
        while (this.#running) {
            const due = (performance.now() - begin) * this.rate / 1000;
            while (this.#n < due)
                this.#send(this.random.of(PRODUCED), this.random.of(this.wanderers).user);
            this.random.of(this.wanderers).publish();
            this.random.of(this.wanderers).ping();
            await pause(TICK_MS);
        }
        await Promise.all(this.#pending);
    }

    #send(topic, user, options) {
        const sent = this.#producer.send(topic, valueOf(topic, user, this.#n++, this.padding), options).catch(error => {
            this.failures.push(error.message);
            return {};
        }).finally(() => this.#pending.delete(sent));
        this.#pending.add(sent);
        return sent;
    }

    async stop() {
        this.#running = false;
        await this.ended;
    }

    // One more event in each partition for each user who hears it: {user, id}. Whoever has them all has come to the end.
    async last(partitions) {
        const users = [...new Set(this.wanderers.map(({ user }) => user))];
        const sends = users.flatMap(user => PRODUCED.flatMap(topic =>
            Array.from({ length: partitions[topic] }, async (_, partition) => {
                const sent = await this.#send(topic, user, { partition });
                return { id: sent.id, user: topic === 'order.updates' ? user : undefined };
            })));
        return Promise.all(sends);
    }

    close() {
        return this.#producer.stop();
    }
}

// Each message of a topic: {id, value}.
async function messagesOf(kafka, topic) {
    const { stdout } = await promisify(execFile)('kcat',
        ['-b', kafka.bootstrap, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-f', '%t:%p:%o\t%s\n'], { maxBuffer: 1 << 30 });
    return stdout.split('\n').filter(Boolean).map(line => {
        const at = line.indexOf('\t');
        return { id: line.slice(0, at), value: JSON.parse(line.slice(at + 1)) };
    });
}

// Everything that Kafka has, into the history. What a client said twice with one id counts once: nobody hears the second.
export async function recordSent(kafka, recorder) {
    const said = new Set();
    for (const topic of PRODUCED)
        for (const { id, value } of await messagesOf(kafka, topic))
            recorder.sent(topic, value, id);
    for (const { id, value: { room, from, data } } of await messagesOf(kafka, 'gateway.events')) {
        const once = `${from} ${data.n}`;
        recorder.sent('gateway.events', null, id, said.has(once) ? [] : [room]);
        said.add(once);
    }
    return said.size;
}
