// Processes that die, hang or are told to read their configuration again.
import { writeFileSync } from 'node:fs';
import { alive, descendantsOf, until } from '../integration/harness.mjs';
import { pause } from './random.mjs';

export const SILENCE_MS = 5_000; // a process that is silent for so long is killed by the supervisor
export const HEALED_MS = 90_000; // longer than a supervisor stands still, and what it finds then
const STOPPED_MS = 30_000;
const RELOADED_MS = 3_000, LAPPED_MS = 10_000;

// A fault beside this one may have ended the supervisor, and with it the whole gateway: that heals all.
export const replaced = (gateway, pid) => until(`a successor of ${pid}`, () => {
    const { ingest, workers } = gateway.pids();
    return gateway.gone || (!alive(pid) && ingest && ingest !== pid && workers.length === gateway.workers && !workers.includes(pid));
}, HEALED_MS);

export const one = ({ gateways, random }) => random.of(gateways);

const children = {
    worker: ({ random }, gateway) => random.of(gateway.pids().workers),
    ingest: (scene, gateway) => gateway.pids().ingest,
};

// One of a gateway's children, there and running; undefined when the whole gateway has gone meanwhile.
export async function childOf(scene, gateway, role) {
    let pid;
    await until(`a running ${role}`, () => gateway.gone || (pid = children[role](scene, gateway)), HEALED_MS);
    return gateway.gone ? undefined : pid;
}

// False: it has ended by itself, or by a fault beside this one.
export function signalled(pid, name) {
    try {
        return process.kill(pid, name);
    } catch (error) {
        if (error.code !== 'ESRCH')
            throw error;
        return false;
    }
}

// SIGSTOP lasts until the supervisor finds that the process hangs.
const strike = (role, name) => async scene => {
    const gateway = one(scene);
    const pid = await childOf(scene, gateway, role);
    if (pid && signalled(pid, name))
        await replaced(gateway, pid);
};

// Until the ring has gone round, by what comes at once: clients of the other worker have it. Nobody takes it for hung, since
// the supervisor stands still as well.
async function lapWorker(scene) {
    const { load, wanderers } = scene, gateway = one(scene);
    const pid = await childOf(scene, gateway, 'worker');
    if (!pid || !signalled(pid, 'SIGSTOP'))
        return;
    signalled(gateway.pid, 'SIGSTOP');
    const last = await load.burst(2 * Number(gateway.settings.env.RING_BYTES));
    await until('the ring to go round', () => wanderers.some(wanderer => wanderer.has(last)), LAPPED_MS).catch(() => {}); // all may be here
    signalled(pid, 'SIGCONT');
    signalled(gateway.pid, 'SIGCONT');
}

// Without a supervisor its children end; a new one on the same port begins with history from Kafka.
async function succeed(scene, gateway, name) {
    const family = descendantsOf(gateway.pid);
    gateway.gone = true;
    gateway.listen(true);
    signalled(gateway.pid, name);
    signalled(gateway.pid, 'SIGCONT'); // one that stands still takes nothing else but SIGKILL
    await until('the children of a dead supervisor to end', () => !family.some(alive), HEALED_MS);
    scene.gateways[scene.gateways.indexOf(gateway)] = await scene.startGateway(gateway.settings, gateway.port);
}

const endSupervisor = name => scene => {
    const gateway = one(scene);
    return gateway.successor ??= succeed(scene, gateway, name);
};

// Children go on without one; nobody of them may be taken for hung afterwards.
async function stopSupervisor(scene) {
    const { pid } = one(scene);
    signalled(pid, 'SIGSTOP');
    await pause(scene.long ? STOPPED_MS : scene.random.between(SILENCE_MS + 500, SILENCE_MS + 1500));
    signalled(pid, 'SIGCONT');
}

// Each time with another value. Done when every worker has it.
async function reload(scene) {
    const gateway = one(scene);
    const generation = () => gateway.metric('config_generation').catch(() => 0);
    const before = await generation();
    writeFileSync(gateway.settings.env.CONFIG_FILE, `WS_PING_INTERVAL=${scene.random.between(20_000, 40_000)}\n`);
    await until('the reload', async () => { // asked for again: one that is still starting takes none
        if (gateway.gone || !signalled(gateway.pid, 'SIGHUP'))
            return true;
        return until('it', async () => gateway.gone || await generation() >= before + gateway.workers, RELOADED_MS).catch(() => false);
    }, HEALED_MS);
}

export const processFaults = {
    killWorker: strike('worker', 'SIGKILL'), segvWorker: strike('worker', 'SIGSEGV'), hangWorker: strike('worker', 'SIGSTOP'),
    killIngest: strike('ingest', 'SIGKILL'), segvIngest: strike('ingest', 'SIGSEGV'), hangIngest: strike('ingest', 'SIGSTOP'),
    killSupervisor: endSupervisor('SIGKILL'), segvSupervisor: endSupervisor('SIGSEGV'), stopSupervisor, lapWorker, reload,
};
