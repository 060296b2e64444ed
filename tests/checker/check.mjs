// The history checker: from what recording clients and producers wrote down, and from nothing else, it proves or
// refutes what the gateway promises. It knows no gateway: a history is a list of entries, one JSON object a line.
//
//   producer   {"kind":"sent","id":"<topic>:<partition>:<offset>","rooms":[...]}     Kafka has it; these rooms hear it
//   connection {"kind":"open","conn":C,"user":U?}                in the order in which the client saw and did them
//              {"kind":"joined","conn":C,"room":R}               the server's answer that it is in the room
//              {"kind":"leaving","conn":C,"room":R}              the client asks to leave
//              {"kind":"left","conn":C,"room":R}                 the server's answer
//              {"kind":"event","conn":C,"id":ID,"snapshot":true?}
//              {"kind":"authenticated","conn":C,"user":U}
//              {"kind":"position","conn":C,"topics":{T:[offset,...]}}   told by the server
//              {"kind":"resume","conn":C,"topics":{T:[offset,...]}}     asked for by the client
//              {"kind":"resumed","conn":C,"recovered":bool,"count":N}
//              {"kind":"published","conn":C,"id":ID}
//              {"kind":"skipped","conn":C,"count":N,"reason":R}
//              {"kind":"seen","conn":C,"id":ID}     until here everything up to this event must have come (a barrier)
//              {"kind":"close","conn":C,"cut":true?}             cut: without a Close, so what was on its way may be missing
//   rules      {"kind":"may","user":U,"rooms":[...]}              rooms that this user may hear (absent: all)
//              {"kind":"conflated","topics":[...]}                topics of which newest values suffice after a lag
//              {"kind":"partial"}     producers are not recorded, nor every end: what only they could tell is not asked
//
//   node tests/checker/check.mjs FILE...      prints each violation; status 1 when there is one
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const split = id => {
    const at = id.lastIndexOf(':'), before = id.lastIndexOf(':', at - 1);
    return { topic: id.slice(0, before), partition: Number(id.slice(before + 1, at)), offset: Number(id.slice(at + 1)) };
};
const ID = /^[A-Za-z0-9._-]+:\d+:\d+$/;
const streamOf = id => id.slice(0, id.lastIndexOf(':'));
const offsetOf = id => split(id).offset;

// What Kafka holds: by topic-partition the messages in the order of offsets.
function kafkaOf(entries) {
    const byId = new Map(), streams = new Map();
    for (const entry of entries.filter(({ kind }) => kind === 'sent')) {
        byId.set(entry.id, entry);
        const stream = streamOf(entry.id);
        if (!streams.has(stream))
            streams.set(stream, []);
        streams.get(stream).push(entry);
    }
    for (const list of streams.values())
        list.sort((a, b) => offsetOf(a.id) - offsetOf(b.id));
    return { byId, streams };
}

function checkRooms(state, entry, sent, report) {
    const heard = sent.rooms.filter(room => state.rooms.has(room) || state.leaving.has(room));
    if (heard.length === 0)
        report('not-joined', `${entry.id} of ${sent.rooms.join()}, which it is not in`);
    const may = state.may.get(state.user);
    if (may && !sent.rooms.some(room => may.has(room)))
        report('forbidden', `${entry.id} of ${sent.rooms.join()}, which ${state.user} may not hear`);
}

// Invariants 1, 5, 7 and a room that was never joined: what may be said of one event when it comes.
function checkEvent(state, entry, report) {
    if (!ID.test(entry.id))
        return report('shape', `${entry.id} is no event id`);
    const sent = state.kafka.byId.get(entry.id);
    if (!state.authenticated)
        report('before-authentication', `event ${entry.id}`);
    if (!sent && !state.partial)
        return report('unknown', `${entry.id} was never sent`);
    if (sent)
        checkRooms(state, entry, sent, report);
    if (entry.snapshot)
        return undefined; // exempt from order and once
    const last = state.last.get(streamOf(entry.id)) ?? -1;
    if (offsetOf(entry.id) === last || state.got.has(entry.id))
        report('twice', entry.id);
    else if (offsetOf(entry.id) < last)
        report('order', `${entry.id} after offset ${last}`);
    state.last.set(streamOf(entry.id), Math.max(last, offsetOf(entry.id)));
    state.got.add(entry.id);
    return undefined;
}

// From where on a stream must be whole for a room: what the client has been told when it joined or resumed, else the
// first of its events that came.
const startOf = (state, stream) => {
    const { topic, partition } = split(`${stream}:0`);
    return state.base.has(topic) ? (state.base.get(topic)[partition] ?? -1) + 1 : undefined;
};

// From which offset on a room is whole. A partition that a position doesn't name although it names its topic counts as
// -1 there: all of one that is added later comes.
function wholeFrom(state, room, stream) {
    const from = state.rooms.get(room);
    return from?.get(stream) ?? (from?.has(split(`${stream}:0`).topic) ? 0 : Infinity);
}

// Invariant 2: up to a barrier nothing of a joined room is missing, unless a gap was told. Conflated topics may leave
// out all but the newest once the client was told, or after a resume.
function checkWhole(state, upTo, report) {
    if (state.gapTold)
        return;
    const stream = streamOf(upTo);
    const first = startOf(state, stream) ?? state.firstGot.get(stream);
    if (first === undefined)
        return;
    for (const { id, rooms } of state.kafka.streams.get(stream) ?? []) {
        const offset = offsetOf(id);
        if (offset < first || offset > offsetOf(upTo) || state.got.has(id))
            continue;
        const joined = rooms.some(room => wholeFrom(state, room, stream) <= offset);
        if (joined && !(state.spared && state.conflated.has(split(id).topic)))
            report('missing', `${id} of ${rooms.join()}`);
    }
}

// Invariant 4: the n events after `resumed` are what was sent behind the position, no more and no less. Looked at once:
// when it is live again, which a position tells, or at its end.
function checkResumed(state, cut, report) {
    const { resume, resumed } = state;
    if (!resume || !resumed?.recovered || state.resumeChecked)
        return;
    state.resumeChecked = true;
    const missed = state.afterResume.slice(0, resumed.count);
    if (missed.length < resumed.count && !cut)
        return report('resume', `${resumed.count} events announced, ${missed.length} came`);
    const ends = new Map();
    for (const id of missed) {
        const { topic, partition, offset } = split(id);
        if (!(topic in resume.topics) || offset <= (resume.topics[topic][partition] ?? -1))
            report('resume', `${id} is not behind the position`);
        ends.set(streamOf(id), Math.max(ends.get(streamOf(id)) ?? -1, offset));
    }
    const came = new Set(missed);
    for (const [stream, list] of state.kafka.streams) {
        const { topic, partition } = split(`${stream}:0`);
        if (!(topic in resume.topics) || state.conflated.has(topic))
            continue;
        for (const { id, rooms } of list)
            if (offsetOf(id) > (resume.topics[topic][partition] ?? -1) && offsetOf(id) <= (ends.get(stream) ?? -1)
                && rooms.some(room => state.roomsAtResume.has(room)) && !came.has(id))
                report('resume', `${id} was missed and not given`);
    }
    return undefined;
}

const steps = {
    open() {},
    authenticated(state, entry, report) {
        if (state.authenticated && state.user !== entry.user)
            report('user', `${state.user} became ${entry.user}`);
        state.authenticated = true;
        state.user = entry.user;
    },
    joined(state, { room }, report) {
        const may = state.may.get(state.user);
        if (may && !may.has(room))
            report('forbidden', `${state.user} was let into ${room}`);
        // Whole from the next offset on of what was told with it; without a position from what comes first.
        if (!state.rooms.has(room))
            state.rooms.set(room, new Map());
        state.leaving.delete(room);
    },
    leaving(state, { room }) {
        state.leaving.set(room, state.rooms.get(room) ?? new Map());
        state.rooms.delete(room);
    },
    left(state, { room }) {
        state.leaving.delete(room);
        state.rooms.delete(room);
    },
    position(state, { topics }, report) {
        checkResumed(state, false, report);
        for (const [topic, offsets] of Object.entries(topics)) {
            state.rooms.forEach(from => from.set(topic, true));
            offsets.forEach((offset, partition) => {
                const stream = `${topic}:${partition}`;
                const last = state.last.get(stream) ?? -1;
                if (offset < last)
                    report('position', `${stream} at ${offset}, but ${last} has come`);
                // Rooms joined before this are whole from here on, if nothing was known of them yet.
                for (const from of state.rooms.values())
                    if (!from.has(stream))
                        from.set(stream, offset + 1);
                // All up to there has been sent: a barrier that the server itself has set.
                if (offset >= 0)
                    checkWhole(state, `${stream}:${offset}`, report);
                // Only who is live is told one: from here on no value of a conflated topic is left out any more.
                if (state.spared && state.conflated.has(topic))
                    state.rooms.forEach(from => from.set(stream, offset + 1));
            });
        }
        state.spared = false;
        state.base = new Map([...Object.entries(topics), ...state.base]);
    },
    resume(state, entry) {
        state.resume = entry;
        state.roomsAtResume = new Set(state.rooms.keys());
    },
    resumed(state, entry, report) {
        if (!state.resume)
            return report('resume', 'answered and never asked');
        state.resumed = entry;
        state.roomsAtResume = new Set(state.rooms.keys());
        state.afterResume = [];
        if (!entry.recovered)
            return undefined;
        for (const [topic, offsets] of Object.entries(state.resume.topics)) {
            for (const from of state.rooms.values()) {
                from.set(topic, true);
                offsets.forEach((offset, partition) => from.set(`${topic}:${partition}`, offset + 1));
            }
            state.base.set(topic, offsets);
        }
        state.spared = true;
        return undefined;
    },
    event(state, entry, report) {
        if (!entry.snapshot && state.resumed)
            state.afterResume.push(entry.id);
        checkEvent(state, entry, report);
        if (!entry.snapshot && ID.test(entry.id) && !state.firstGot.has(streamOf(entry.id)))
            state.firstGot.set(streamOf(entry.id), offsetOf(entry.id));
    },
    seen(state, { id }, report) {
        if (!state.got.has(id) && !state.gapTold)
            report('missing', `${id}, the barrier itself`);
        checkWhole(state, id, report);
    },
    published(state, { id }, report) {
        if (!state.kafka.byId.has(id) && !state.partial)
            report('published', `${id} is not in Kafka`);
    },
    skipped(state, { reason }) {
        if (reason === 'CONFLATED')
            state.spared = true;
        else
            state.gapTold = true;
    },
    close(state, { cut }, report) {
        checkResumed(state, cut, report);
        state.closed = true;
    },
};

// All violations: {conn, rule, text}. An entry that is of no known kind is one too: nothing is passed over silently.
export function check(entries) {
    const violations = [];
    const kafka = kafkaOf(entries);
    const may = new Map(entries.filter(({ kind }) => kind === 'may').map(({ user, rooms }) => [user, new Set(rooms)]));
    const conflated = new Set(entries.filter(({ kind }) => kind === 'conflated').flatMap(({ topics }) => topics));
    const partial = entries.some(({ kind }) => kind === 'partial');
    const connections = new Map();
    for (const entry of entries) {
        if (['sent', 'may', 'conflated', 'partial'].includes(entry.kind))
            continue;
        const report = (rule, text) => {
            violations.push({ conn: entry.conn, rule, text });
        };
        if (!Object.hasOwn(steps, entry.kind) || entry.conn === undefined) {
            report('shape', `entry ${JSON.stringify(entry).slice(0, 200)}`);
            continue;
        }
        if (!connections.has(entry.conn))
            connections.set(entry.conn, {
                kafka, may, conflated, partial, authenticated: false, user: undefined, rooms: new Map(), leaving: new Map(),
                last: new Map(), got: new Set(), firstGot: new Map(), base: new Map(), afterResume: [], spared: false, resumeChecked: false, gapTold: false, closed: false,
            });
        const state = connections.get(entry.conn);
        if (state.closed)
            report('after-close', `${entry.kind}`);
        steps[entry.kind](state, entry, report);
    }
    for (const [conn, state] of connections)
        if (!state.closed && !partial)
            violations.push({ conn, rule: 'open', text: 'its history has no end: close it, or it proves nothing' });
    return violations;
}

export const parse = text => text.split('\n').filter(Boolean).map(line => JSON.parse(line));

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
    const entries = process.argv.slice(2).flatMap(file => parse(readFileSync(file, 'utf8')));
    const violations = check(entries);
    for (const { conn, rule, text } of violations)
        console.log(`${conn}: ${rule}: ${text}`);
    console.log(`${entries.length} entries, ${violations.length} violations`);
    process.exit(violations.length === 0 ? 0 : 1);
}
