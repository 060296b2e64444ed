// A client as users have them: it keeps its position, comes back by itself when its connection ends, to whichever gateway
// it finds, and resumes; what it had published and got no answer for it says again, with the same id.
import { eventName } from '../checker/recorder.mjs';
import { connectClient, mintToken, seconds } from '../integration/harness.mjs';
import { pause } from './random.mjs';

const EVENT_ID = /^[a-z.-]+:\d+:\d+$/;
const ANSWER_MS = 60_000;
const IN_FLIGHT = 20;

export class Wanderer {
    #position = null;
    #unanswered = new Map(); // message id -> what was asked
    #published = 0;
    #stopped = false;
    #namesOf = null;       // the connection whose events' names these are, of so many messages
    #names = new Set();
    #seen = 0;
    current = null; // the connection on which it is live, or catching up
    closes = [];    // {code, reason} of each that it did not end itself
    refusals = [];  // reasons of resumes that were not recovered
    recovered = 0;
    failed = [];  // codes of publishes that were not
    answered = 0; // publishes that were answered `published`

    // run: names it, so that an id means one message in all runs. gateways: a function that gives those that there are now.
    // forgetful: comes back without its position. deflate: offers permessage-deflate. ttl: seconds that its tokens hold.
    constructor({ run, user, room, gateways, recorder, random, forgetful = false, deflate = false, ttl }) {
        Object.assign(this, { run, user, room, gateways, recorder, random, forgetful, deflate, ttl });
        this.ended = this.#live();
    }

    async #live() {
        while (!this.#stopped) {
            const client = await this.#connect().catch(() => null);
            if (client) {
                await client.closed;
                this.current = null;
                if (!this.#stopped && !client.left)
                    this.closes.push({ user: this.user, at: new Date().toISOString(), ...client.ended });
                this.#learn(client);
            }
            if (!this.#stopped)
                await pause(this.random.between(10, 120));
        }
    }

    async #connect() {
        const gateway = this.random.of(this.gateways());
        const client = await connectClient(gateway, {
            recorder: this.recorder, perMessageDeflate: this.deflate, ca: gateway.settings.ca,
        });
        client.user = this.user;
        try {
            await client.next('auth_required', ANSWER_MS);
            client.send('authenticate', {
                token: mintToken({ sub: this.user, exp: seconds(this.ttl) }), channels: [this.room], ...(this.#position ? { resume: this.#position } : {}),
            });
            const answer = await client.next(({ type }) => type === 'auth_success' || type === 'auth_failed', ANSWER_MS);
            if (answer.type === 'auth_failed')
                throw new Error(answer.raw);
            if (this.#position)
                await this.#resumed(client);
        } catch (error) {
            client.ws.terminate();
            await client.closed;
            this.#learn(client);
            throw error;
        }
        client.ws.on('message', bytes => this.#hear(bytes));
        this.current = client;
        for (const [id, data] of this.#unanswered)
            client.send('publish', data, { id });
        return client;
    }

    async #resumed(client) {
        const { data } = await client.next('resumed', ANSWER_MS);
        if (data.recovered) {
            this.recovered++;
            return;
        }
        this.refusals.push(data.reason);
        this.#position = null;
        await client.settled(); // whose answer tells where it is now
    }

    // Where it is, from what came on a connection: positions told, moved on by each event's id.
    #learn({ received }) {
        for (const { id, snapshot, data } of received) {
            if (data?.position?.topics) {
                this.#position ??= { epoch: data.position.epoch, topics: {} };
                Object.assign(this.#position.topics, structuredClone(data.position.topics));
            } else if (EVENT_ID.test(id) && !snapshot && this.#position) {
                const [topic, partition, offset] = id.split(':');
                const offsets = this.#position.topics[topic] ??= [];
                while (offsets.length <= Number(partition))
                    offsets.push(-1);
                offsets[partition] = Number(offset);
            }
        }
        if (this.forgetful)
            this.#position = null;
    }

    // An answer `error` says that it did not count, so it is not said again.
    #hear(bytes) {
        const { type, ref, data } = JSON.parse(bytes.toString('utf8'));
        if (!this.#unanswered.delete(ref))
            return;
        if (type === 'published')
            this.answered++;
        else
            this.failed.push(data.code);
    }

    publish() {
        if (!this.current || this.#unanswered.size >= IN_FLIGHT)
            return;
        const id = `${this.run} ${++this.#published}`;
        const data = { room: this.room, event: 'said', payload: { n: id } };
        this.#unanswered.set(id, data);
        this.current.send('publish', data, { id });
    }

    // Whose answer tells its position, unless it is catching up.
    ping() {
        this.current?.send('ping', {});
    }

    // Whoever still catches up is told no position; of prices it would get the newest only.
    async isLive() {
        const answer = await this.current?.settled().catch(() => null);
        return Boolean(answer?.data.position);
    }

    get unanswered() {
        return this.#unanswered.size;
    }

    // As when its network goes: without a close.
    leave() {
        if (this.current) {
            this.current.left = true;
            this.current.ws.terminate();
        }
    }

    // An event by the recorder's name for it, on the present connection.
    has(name) {
        if (this.#namesOf !== this.current) {
            this.#namesOf = this.current;
            this.#names = new Set();
            this.#seen = 0;
        }
        for (; this.current && this.#seen < this.current.received.length; this.#seen++) {
            const { id, data } = this.current.received[this.#seen];
            this.#names.add(eventName(id, data));
        }
        return this.#names.has(name);
    }

    async stop() {
        this.#stopped = true;
        this.current?.ws.terminate();
        await this.ended;
    }
}
