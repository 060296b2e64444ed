// What happens to Redis: gone, silent, full, locked. Delivery knows nothing of it.
import { startRedis } from '../integration/redis_server.mjs';
import { pause } from './random.mjs';

function inTurn(scene, work) {
    const turn = (scene.redisTurn ?? Promise.resolve()).then(() => work(scene));
    scene.redisTurn = turn.catch(() => {});
    return turn;
}

const moment = ({ random }) => pause(random.between(100, 2000));

// Another in its place, on the same port: what it knew is gone.
async function replaceRedis(scene, args = []) {
    const { port } = scene.redis;
    await scene.redis.stop(); // by SIGKILL
    await moment(scene);
    scene.redis = await startRedis({ port, args });
}

async function stopRedis(scene) {
    scene.redis.signal('SIGSTOP');
    await moment(scene);
    scene.redis.signal('SIGCONT');
}

async function fillRedis(scene) {
    await scene.redis.command('CONFIG', 'SET', 'maxmemory', 1);
    await moment(scene);
    await scene.redis.command('CONFIG', 'SET', 'maxmemory', 0);
}

// It comes back with a password that nobody has.
async function lockRedis(scene) {
    await replaceRedis(scene, ['--requirepass', 'chaos-only']);
    await moment(scene);
    await replaceRedis(scene);
}

export const redisFaults = Object.fromEntries(Object.entries({ killRedis: scene => replaceRedis(scene), stopRedis, fillRedis, lockRedis })
    .map(([name, fault]) => [name, scene => inTurn(scene, fault)]));
