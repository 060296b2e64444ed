// Everything breaks, at random moments, under load; clients come back by themselves. Then the history checker says whether
// an event was lost, doubled, out of order or heard by the wrong one, and Kafka what was published.
//   CHAOS_SEED=S      the same choices again (printed at the start); CHAOS_SECONDS=N: all scenarios, again and again, so long;
//   CHAOS_ONLY=TEXT   those whose name contains it
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Recorder } from '../checker/recorder.mjs';
import { startGateway, until } from '../integration/harness.mjs';
import { startRedis } from '../integration/redis_server.mjs';
import { startKafka } from '../kafka/kafka.mjs';
import { churn } from './churn.mjs';
import { faults } from './faults.mjs';
import { Load, TOPICS, recordSent } from './load.mjs';
import { Random, pause } from './random.mjs';
import { scenarios } from './scenarios.mjs';
import { Wanderer } from './wanderer.mjs';

const SECONDS = Number(process.env.CHAOS_SECONDS ?? 0);
const SEED = process.env.CHAOS_SEED || (SECONDS ? randomBytes(4).toString('hex') : 'short');
const ONLY = process.env.CHAOS_ONLY ?? '';
const WANDERERS = 8;
const RATE = 300;
const SHORT_MS = 3_000, LONG_MS = 15_000; // of faults; each begun is waited for
const HEALED_MS = 120_000;
const ROOM = 'chat:chaos';

const mayHear = user => ['prices', 'trades', 'system_alerts', ROOM, ...['user', 'portfolio', 'orders', 'notifications'].map(own => `${own}:${user}`)];

// What a run needs, started; `end` takes it down again whatever happened.
async function setScene({ kafka, partitions, folder }, { gateways = 1, redis, env = {}, rate = RATE, padding }, seed) {
    const recorder = new Recorder();
    const server = redis && await startRedis();
    const scene = { kafka, partitions, redis: server, gateways: [], wanderers: [], recorder, random: new Random(`${seed} faults`) };
    for (let i = 0; i < gateways; i++) {
        const config = join(folder, `config-${i}`);
        writeFileSync(config, '');
        const settings = {
            kafka: kafka.bootstrap, workers: 2,
            env: { INSTANCE_ID: `chaos-${i}`, CONFIG_FILE: config, ...(server ? { REDIS_URL: server.url } : {}), ...env },
        };
        scene.gateways.push(Object.assign(await startGateway(settings), { settings, workers: settings.workers }));
    }
    for (let i = 0; i < WANDERERS; i++) {
        const user = `w${i}`;
        recorder.entries.push({ kind: 'may', user, rooms: mayHear(user) });
        scene.wanderers.push(new Wanderer({
            run: randomBytes(4).toString('hex'), user, room: ROOM, recorder, gateways: () => scene.gateways,
            random: new Random(`${seed} ${user}`), forgetful: i % 4 === 3,
        }));
    }
    await until('all clients are in', () => scene.wanderers.every(({ current }) => current));
    scene.load = new Load({ kafka, wanderers: scene.wanderers, random: new Random(`${seed} load`), rate, padding });
    await until('something is published', () => scene.wanderers.some(({ answered }) => answered > 0));
    return scene;
}

async function breakThings(scene, names, forMs) {
    const end = Date.now() + forMs;
    do {
        await pause(scene.random.between(forMs / 6, forMs / 3));
        if (names.length > 0)
            await faults[scene.random.of(names)](scene);
    } while (Date.now() < end);
}

// All is whole again: every client must come to the end of every partition of its rooms, without losing its connection.
async function comeToTheEnd(scene) {
    const { load, wanderers, recorder, partitions } = scene;
    await load.stop();
    await until('all clients are in, their publishes answered', () =>
        wanderers.every(({ current, unanswered }) => current && unanswered === 0), HEALED_MS);
    const last = await load.last(partitions);
    assert.deepEqual(load.failures, [], 'Kafka has taken everything');
    const missing = () => wanderers.flatMap(wanderer => last.filter(({ id, user }) => (user ?? wanderer.user) === wanderer.user
        && !wanderer.has(id)).map(({ id }) => `${wanderer.user}: ${id}`));
    await until('everybody has the last events', () => missing().length === 0, HEALED_MS).catch(error => {
        throw new Error(`${error.message}; missing: ${missing().slice(0, 10)}`);
    });
    for (const wanderer of wanderers) {
        await wanderer.current.settled(); // if something was passed over, it has been told by now
        last.filter(({ user }) => (user ?? wanderer.user) === wanderer.user).forEach(({ id }) => recorder.seen(wanderer.current, id));
    }
    await Promise.all(wanderers.map(wanderer => wanderer.stop()));
}

async function run(house, scenario, seed, forMs) {
    const { kafka } = house;
    const scene = await setScene(house, scenario, seed);
    try {
        await breakThings(scene, scenario.faults, forMs);
        await comeToTheEnd(scene);
        const said = await recordSent(kafka, scene.recorder);
        await judge(scene, scenario);
        const total = name => scene.wanderers.reduce((sum, wanderer) => sum + (wanderer[name].length ?? wanderer[name]), 0);
        return `${scene.recorder.entries.length} entries, ${total('closes')} closed, ${total('recovered')} resumed, `
            + `${total('refusals')} refused, ${total('answered')} published, ${total('failed')} not, of ${said} in Kafka`;
    } finally {
        await Promise.all(scene.wanderers.map(wanderer => wanderer.stop()));
        await scene.load.stop();
        await scene.load.close();
        for (const gateway of scene.gateways)
            await gateway.stop();
        await scene.redis?.stop();
    }
}

async function judge({ wanderers, recorder, gateways }, { closes, refusals = [], lapped = false }) {
    recorder.verify({ events: 200 });
    const unexpected = wanderers.flatMap(wanderer => wanderer.closes).filter(({ code }) => !closes.includes(code));
    assert.deepEqual(unexpected, [], 'closed without need');
    assert.deepEqual(wanderers.flatMap(wanderer => wanderer.refusals).filter(reason => !refusals.includes(reason)), [], 'resumes refused');
    for (const gateway of gateways) {
        assert.equal(await gateway.metric('late_wakes_total'), 0, 'no wake-up is lost');
        assert.equal(await gateway.metric('records_lapped_total') > 0, lapped, 'somebody is lapped');
    }
}

describe(`chaos, CHAOS_SEED=${SEED}`, () => {
    const house = { partitions: { ...TOPICS }, folder: mkdtempSync(join(tmpdir(), 'moonx-chaos-')) };

    before(async () => {
        const kafka = house.kafka = await startKafka();
        await Promise.all(Object.entries(TOPICS).map(([topic, count]) => kafka.createTopic(topic, count)));
    });

    after(async () => {
        rmSync(house.folder, { recursive: true });
        await house.kafka?.stop();
    });

    const chosen = scenarios.filter(({ name, short }) => name.includes(ONLY) && (SECONDS || ONLY || short));
    const churned = 'after clients have come and gone, memory and descriptors are what they were';
    if (churned.includes(ONLY))
        test(churned, async t => t.diagnostic(await churn(house.kafka)));

    const tell = async (t, scenario, seed, forMs) => t.diagnostic(await run(house, scenario, seed, forMs));
    if (!SECONDS)
        for (const scenario of chosen)
            test(scenario.name, t => tell(t, scenario, `${SEED} ${scenario.name}`, SHORT_MS));
    else
        test(`${SECONDS} s of it`, async t => {
            const end = Date.now() + SECONDS * 1000;
            for (let round = 0; Date.now() < end; round++)
                for (const scenario of chosen)
                    await t.test(`${scenario.name}, round ${round}`, inner => tell(inner, scenario, `${SEED} ${round} ${scenario.name}`, LONG_MS));
        });
});
