// Waiting with a deadline, and comparing so that a failure says in one line what differed. A deadline is for what never
// comes: it is far longer than a busy machine needs, and costs nothing when the event does come.
import assert from 'node:assert/strict';

export const PATIENCE_MS = 40_000;

// Asks `probe` again and again until it gives something truthy; for what has no event of its own.
export async function until(what, probe, deadlineMs = PATIENCE_MS) {
    const end = performance.now() + deadlineMs;
    for (;;) {
        const found = await probe();
        if (found)
            return found;
        if (performance.now() > end)
            throw new Error(`${what}: not within ${deadlineMs} ms`);
        await new Promise(resolve => setTimeout(resolve, 20));
    }
}

export function within(what, deadlineMs, promise) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what}: not within ${deadlineMs} ms`)), deadlineMs);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// For long lists of words or numbers: where they part, with what stands before it.
export function assertSame(actual, expected, what = 'the list') {
    const end = Math.max(actual.length, expected.length);
    let at = 0;
    while (at < end && Object.is(actual[at], expected[at]))
        at++;
    if (at < end)
        assert.fail(`${what}: ${at === 0 ? 'first' : `after ${actual[at - 1]}`} comes ${actual[at] ?? 'nothing'} instead of `
            + `${expected[at] ?? 'nothing'} (number ${at}; ${actual.length} of ${expected.length})`);
}

// Numbers that rise one by one.
export const assertCounted = (numbers, what) => assertSame(numbers, numbers.map((_, i) => numbers[0] + i), what);
