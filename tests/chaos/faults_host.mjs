// What the host lacks or gets wrong: descriptors, memory, room for log lines, the time of day, room in a bell.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { alive, prlimit, root, until } from '../integration/harness.mjs';
import { childOf, one, replaced, signalled } from './faults_process.mjs';
import { pause } from './random.mjs';
import { Scarce } from './scarce.mjs';

const run = promisify(execFile);
export const helpers = process.env.MOONX_TEST_HELPERS ?? join(root, 'build/release/tests/chaos');
const HOUR_S = 3600;

// For a while the process may open nothing that it does not have open now.
async function withoutDescriptors(scene, pid) {
    const { stdout } = await prlimit(pid, '--nofile', '--output=SOFT', '--noheadings');
    await prlimit(pid, `--nofile=${readdirSync(`/proc/${pid}/fd`).length}:`);
    await pause(scene.random.between(500, 2500));
    await prlimit(pid, `--nofile=${stdout.trim()}:`).catch(error => assert.ok(!alive(pid), error.message));
}

// The worker accepts nobody, who has to wait; those who are there notice nothing.
async function exhaustWorker(scene) {
    const gateway = one(scene);
    const pid = await childOf(scene, gateway, 'worker');
    scene.wanderers.filter((wanderer, i) => i % 3 === 0).forEach(wanderer => wanderer.leave());
    await withoutDescriptors(scene, pid);
    assert.ok(alive(pid), 'a worker lives without descriptors');
}

// Kafka's client can't connect again while its broker is away.
async function exhaustIngest(scene) {
    const pid = await childOf(scene, one(scene), 'ingest');
    await Promise.all([withoutDescriptors(scene, pid), scene.kafka.restart()]);
}

// The supervisor can't start a successor until it may open files again.
async function exhaustSupervisor(scene) {
    const gateway = one(scene);
    const pid = await childOf(scene, gateway, scene.random.of(['worker', 'ingest']));
    const relieved = withoutDescriptors(scene, gateway.pid);
    signalled(pid, 'SIGKILL');
    await relieved;
    await replaced(gateway, pid);
}

// An allocation from now on fails, and so many behind it. A worker and the supervisor live on; of ingest the Kafka client
// gives up, and a successor goes on.
const starve = role => async scene => {
    const gateway = one(scene);
    const pid = role === 'supervisor' ? gateway.pid : await childOf(scene, gateway, role);
    const scarce = new Scarce(gateway.scarce);
    scarce.begin(pid, { after: scene.random.between(0, role === 'supervisor' ? 20 : 300), failures: scene.random.of([1, 1, 1, 3, 30, 300]) });
    if (role === 'supervisor')
        gateway.signal('SIGHUP');
    await pause(scene.random.between(200, 800));
    scene.refused = (scene.refused ?? 0) + scarce.end();
    if (role === 'ingest' && !alive(pid))
        await replaced(gateway, pid);
    else
        assert.ok(alive(pid), `a ${role} lives without memory`);
};

// Nobody reads what it says: the pipe is full within moments where it says much. Lines are lost, and counted, and nothing else.
async function deafenLog(scene) {
    const gateway = one(scene);
    gateway.listen(false);
    await pause(scene.random.between(1000, 3000));
    gateway.listen(true);
}

// By an hour, there or back, in all of its processes (libfaketime reads the file each second). Timers must not notice.
async function stepClock(scene) {
    const gateway = one(scene), { clock } = gateway;
    clock.offset_s = scene.random.of([-HOUR_S, 0, HOUR_S].filter(offset => offset !== clock.offset_s));
    writeFileSync(clock.file, `${clock.offset_s < 0 ? '' : '+'}${clock.offset_s}s\n`);
    const shown = async () => Date.parse((await gateway.get('/health')).headers.get('date') ?? 0);
    await until('the new time', async () => Math.abs(await shown() - Date.now() - clock.offset_s * 1000) < 5000);
    await pause(scene.random.between(500, 2000));
}

// The worker stands still while its eventfd's counter is at its highest: who rings can't, and need not.
async function fillBell(scene) {
    const pid = await childOf(scene, one(scene), 'worker');
    if (!pid || !signalled(pid, 'SIGSTOP'))
        return;
    await run(join(helpers, 'fill_bells'), [String(pid)]);
    await pause(scene.random.between(300, 1500));
    signalled(pid, 'SIGCONT');
}

export const hostFaults = {
    exhaustWorker, exhaustIngest, exhaustSupervisor, starveWorker: starve('worker'), starveIngest: starve('ingest'),
    starveSupervisor: starve('supervisor'), deafenLog, stepClock, fillBell,
};
