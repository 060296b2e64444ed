// Many npm `ws` clients in a process of their own, driven by delivery.test.mjs over Node's message channel.
// Each keeps the offsets it saw per topic-partition; connections that break are opened again as new ones.
//   in:  {do:'connect', url, users:[{user, token}]}   out: {connected:[{index, localPort}]}
//   in:  {do:'report', last:{'topic:partition': offset}} out: {connections:[…]} once all have seen the last
import WebSocket from 'ws';

const ID = /^\{"id":"([^":]+:\d+):(\d+)"/;
const AUTH_REQUIRED = '"type":"auth_required"';
const JOINED = '"type":"auto_subscribed"';
const connections = [];
let onEvent = () => {};

class Connection {
    seen = new Map(); // 'topic:partition' -> offsets in order of arrival
    closed = null;
    problems = [];

    constructor(url, { user, token }, predecessor) {
        Object.assign(this, { url, user, token, replaces: predecessor?.index ?? null, index: connections.length });
        connections.push(this);
        this.joined = new Promise(resolve => (this.onJoined = resolve));
        this.ws = new WebSocket(url, { perMessageDeflate: false });
        this.ws.on('message', data => this.take(data.toString('utf8')));
        this.ws.on('error', () => {});
        this.ws.once('close', (code, reason) => {
            this.closed = { code, reason: reason.toString() };
            if (!finished)
                this.reconnect();
        });
    }

    take(text) {
        if (text.endsWith(',"snapshot":true}'))
            return; // what was before it joined: exempt from order and once
        const found = ID.exec(text);
        if (found) {
            const offsets = this.seen.get(found[1]);
            if (offsets)
                offsets.push(Number(found[2]));
            else
                this.seen.set(found[1], [Number(found[2])]);
            onEvent();
        } else if (text.includes(AUTH_REQUIRED)) {
            this.ws.send(JSON.stringify({ type: 'authenticate', data: { token: this.token } }));
        } else if (text.includes(JOINED)) {
            this.localPort = this.ws._socket.localPort;
            this.onJoined();
        } else if (!text.includes('"type":"auth_success"')) {
            this.problems.push(text.slice(0, 200));
        }
    }

    reconnect() {
        setTimeout(() => finished || new Connection(this.url, this, this), 50);
    }
}

let finished = false;

const handle = {
    async connect({ url, users }) {
        const opened = users.map(user => new Connection(url, user));
        await Promise.all(opened.map(({ joined }) => joined));
        process.send({ connected: opened.map(({ index, user, localPort }) => ({ index, user, localPort })) });
    },

    // `last`: per user the offset of the last event for it in each partition.
    async report({ last }) {
        const complete = connection => connection.closed
            || Object.entries(last[connection.user]).every(([key, offset]) => connection.seen.get(key)?.at(-1) >= offset);
        await new Promise(resolve => {
            const timer = setTimeout(done, 240_000);
            function done() {
                clearTimeout(timer);
                onEvent = () => {};
                resolve();
            }
            let pending = 0;
            onEvent = () => {
                if (pending++ % 256 === 0 && connections.every(complete))
                    done();
            };
            const poll = setInterval(() => {
                if (connections.every(complete)) {
                    clearInterval(poll);
                    done();
                }
            }, 50);
            poll.unref();
        });
        finished = true;
        process.send({
            connections: connections.map(({ index, user, localPort, closed, replaces, problems, seen }) => ({
                index, user, localPort, closed, replaces, problems, seen: Object.fromEntries(seen),
            })),
        }, () => {
            connections.forEach(({ ws }) => ws.terminate());
            process.disconnect();
        });
    },
};

process.on('message', message => handle[message.do](message));
process.on('disconnect', () => process.exit(0));
