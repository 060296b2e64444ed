// Everything breaks, at random moments, under load; clients come back by themselves. Then the history checker says whether
// an event was lost, doubled, out of order or heard by the wrong one, and Kafka what was published.
//   CHAOS_SEED=S      the same choices again (printed at the start); CHAOS_SECONDS=N: all scenarios, again and again, so long;
//   CHAOS_ONLY=TEXT   those whose name contains it
import { randomBytes } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { churn } from './churn.mjs';
import { startHouse } from './house.mjs';
import { Random } from './random.mjs';
import { scenarios } from './scenarios.mjs';
import { Scene } from './scene.mjs';

const SECONDS = Number(process.env.CHAOS_SECONDS ?? 0);
const SEED = process.env.CHAOS_SEED || (SECONDS ? randomBytes(4).toString('hex') : 'short');
const ONLY = process.env.CHAOS_ONLY ?? '';
const SHORT_MS = 3_000, LONG_MS = 15_000; // of faults; each begun is waited for
const LANES = 2; // scenarios at a time of the short ones, which mostly wait

const told = figures => Object.entries(figures).map(([name, count]) => `${count} ${name}`).join(', ');

describe(`chaos, CHAOS_SEED=${SEED}`, { concurrency: LANES }, () => {
    const totals = {}, free = [];

    after(() => Promise.all(free.map(({ kafka }) => kafka.stop())));

    // One that nobody else uses meanwhile. With more brokers it is for this alone, and after a failure it may not be whole.
    async function inHouse(brokers, work) {
        const house = (brokers === 1 && free.pop()) || await startHouse(brokers);
        let reusable = false;
        try {
            const result = await work(house);
            reusable = brokers === 1;
            return result;
        } finally {
            if (reusable)
                free.push(house);
            else
                await house.kafka.stop();
        }
    }

    const run = (t, scenario, seed) => inHouse(scenario.brokers ?? 1, house => play(t, house, scenario, seed));

    async function play(t, house, scenario, seed) {
        const scene = new Scene(house, scenario, seed, SECONDS > 0);
        try {
            await scene.set();
            await scene.breakThings(SECONDS > 0 ? LONG_MS : SHORT_MS);
            await scene.comeToTheEnd();
            await scene.judge();
        } finally {
            const figures = scene.figures();
            t.diagnostic(told(figures));
            for (const [name, count] of Object.entries(figures))
                totals[name] = (totals[name] ?? 0) + count;
            await scene.end();
        }
    }

    const churned = 'after clients have come and gone, memory and descriptors are what they were';
    if (churned.includes(ONLY))
        test(churned, async t => t.diagnostic(await inHouse(1, ({ kafka }) => churn(kafka))));

    const chosen = scenarios.filter(({ name, short }) => name.includes(ONLY) && (SECONDS || ONLY || short));
    if (!SECONDS)
        for (const scenario of chosen)
            test(scenario.name, t => run(t, scenario, `${SEED} ${scenario.name}`));
    else
        test(`${SECONDS} s of it`, async t => {
            const end = performance.now() + SECONDS * 1000, order = new Random(SEED);
            for (let round = 0; performance.now() < end; round++)
                for (const left = [...chosen]; left.length > 0 && performance.now() < end;) {
                    const [scenario] = left.splice(order.below(left.length), 1);
                    await t.test(`${scenario.name}, round ${round}`, inner => run(inner, scenario, `${SEED} ${round} ${scenario.name}`));
                }
            t.diagnostic(`in all: ${told(totals)}`);
        });
});
