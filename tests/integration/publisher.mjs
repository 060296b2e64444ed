// Publishes many numbered events on one connection and keeps account of every answer. Beside the harness' request(), which
// looks through all that a client has received so far for each: too slow for thousands.
import assert from 'node:assert/strict';
import { within } from './harness.mjs';

// `lanes`: so many without an answer at a time, each resting for a while when it was refused. payload(n) is the n-th one's. Resolves to {is: 'published' or the error's
// code, ms: since the first was sent} of each, by number.
export function publishMany(client, { room, event, count, lanes = count, payload = n => ({ n }), restMs = 0, deadlineMs = 90_000 }) {
    const answers = new Array(count).fill(null);
    const begun = performance.now();
    let next = 0;
    let answered = 0;
    const send = () => {
        if (next < count) {
            client.send('publish', { room, event, payload: payload(next) }, { id: `${event}-${next}` });
            next++;
        }
    };
    return within(`${count} answers`, deadlineMs, new Promise(resolve => {
        client.ws.on('message', function take(bytes) {
            if (!bytes.includes(`"ref":"${event}-`))
                return;
            const { ref, type, data } = JSON.parse(bytes);
            const n = Number(ref.slice(event.length + 1));
            assert.equal(answers[n], null, `a second answer to ${ref}`);
            answers[n] = { is: type === 'error' ? data.code : type, ms: performance.now() - begun };
            answered++;
            if (type === 'error')
                setTimeout(send, restMs);
            else
                send();
            if (answered === count) {
                client.ws.off('message', take);
                resolve(answers);
            }
        });
        for (let i = 0; i < lanes; i++)
            send();
    }));
}
