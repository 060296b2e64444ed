// What an idle connection costs a server made of npm's `ws`: the row of the README that the gateway's is compared with.
//   node tests/bench/peer_ws.mjs [CONNECTIONS]      needs `npm ci` in tests/, and descriptors for both ends
// As for the gateway (bench_parts.py, memory): PSS of the server with 16,000 connections less that with 8,000 (a process
// may have 20,000 descriptors), each with a user of its own in the seven automatic rooms, permessage-deflate off.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { WebSocketServer } from 'ws';

const HOST = '127.0.0.1';
const SHARED = ['prices', 'trades', 'system_alerts'];
const OWN = ['user', 'portfolio', 'orders', 'notifications'];

function serve() {
    const rooms = new Map();
    const server = new WebSocketServer({ host: HOST, port: 0, perMessageDeflate: false, clientTracking: false, backlog: 4096 });
    server.on('connection', (socket, request) => {
        const user = request.url.slice(2);
        for (const room of [...SHARED, ...OWN.map(name => `${name}:${user}`)]) {
            if (!rooms.has(room))
                rooms.set(room, new Set());
            rooms.get(room).add(socket);
        }
    });
    server.on('listening', () => process.send(server.address().port));
    process.on('message', () => {
        for (let i = 0; i < 4; i++)
            gc();
        process.send('collected');
    });
}

// No library at this end: what it costs is not measured.
async function open(port, user) {
    const socket = connect(port, HOST);
    socket.write(`GET /?u${user} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`
        + 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n');
    const [answer] = await once(socket, 'data');
    if (!String(answer).startsWith('HTTP/1.1 101'))
        throw new Error(String(answer));
    return socket;
}

async function pssBytes(server) {
    server.send('collect');
    await once(server, 'message');
    return 1024 * Number(/^Pss: +(\d+) kB/m.exec(readFileSync(`/proc/${server.pid}/smaps_rollup`, 'utf8'))[1]);
}

// The collector gives pages back later than it says: the least that is seen, once two seconds have brought nothing less.
async function settled(server) {
    let least = Infinity;
    for (let quiet = 0; quiet < 10; quiet++) {
        const now = await pssBytes(server);
        if (now < least) {
            least = now;
            quiet = 0;
        }
        await setTimeout(200);
    }
    return least;
}

async function measure(connections) {
    const server = fork(new URL(import.meta.url), ['serve'], { execArgv: ['--expose-gc'] });
    const [port] = await once(server, 'message');
    const sockets = [];
    const grow = async count => {
        while (sockets.length < count)
            sockets.push(...await Promise.all(Array.from({ length: 100 }, (_, i) => open(port, sockets.length + i))));
        return settled(server);
    };
    const half = await grow(connections / 2);
    const all = await grow(connections);
    server.kill();
    console.log(`ws: ${Math.round((all - half) / (connections / 2))} user bytes an idle connection`);
    process.exit();
}

if (process.argv[2] === 'serve')
    serve();
else
    await measure(Number(process.argv[2] ?? 16000));
