// The table. `faults`: what breaks, one after the other, `together` so many at once; `meanwhile`: what goes on beside them.
// `short`: also part of `make test`. `closes`: codes with which the gateway may end a connection; none where no process dies
// that holds one: a healthy client is not closed. `refusals`: reasons for which a resume may be refused. `lapped`, `gaps`:
// somebody is, something is lost, and told. `needs`: see scene.mjs. `brokers`: a Kafka of its own, of so many nodes.
const died = [1006];

const table = [
    { name: 'nothing happens', faults: [], closes: [] },
    { name: 'workers are killed', faults: ['killWorker'], closes: died, short: true },
    { name: 'workers die in a flood', faults: ['killWorker'], rate: 3000, closes: died },
    { name: 'ingest is killed', faults: ['killIngest'], closes: [], short: true },
    { name: 'the supervisor is killed and started again', faults: ['killSupervisor'], closes: died, short: true },
    { name: 'everything is killed, and clients move', faults: ['killWorker', 'killIngest', 'killSupervisor', 'move'], closes: died },
    { name: 'a worker hangs', faults: ['hangWorker'], closes: died },
    { name: 'ingest hangs', faults: ['hangIngest'], closes: [], short: true },
    { name: 'the supervisor stands still', faults: ['stopSupervisor'], closes: [] },
    { name: 'the broker is restarted', faults: ['restartBroker'], closes: [] },
    { name: 'the broker is killed', faults: ['killBroker'], closes: [], short: true },
    { name: 'broker and ingest are killed', faults: ['killBroker', 'killIngest'], closes: [] },
    { name: 'the leader of a partition is killed', brokers: 3, faults: ['killLeader'], closes: [], short: true },
    { name: 'leaders move', brokers: 3, faults: ['killLeader', 'moveLeader', 'move'], closes: [] },
    { name: 'leaders and ingest are killed', brokers: 3, together: 2, faults: ['killLeader', 'killIngest'], closes: [] },
    { name: 'partitions are added', faults: ['addPartitions', 'move'], closes: [] },
    { name: 'retention takes what nobody has read', faults: ['overrunRetention', 'overrunRetentionAndKill'], closes: [], gaps: true, short: true },
    { name: 'retention, and clients move', faults: ['overrunRetention'], meanwhile: ['move'], closes: [], gaps: true, refusals: ['TOO_OLD'] },
    { name: 'a topic is made anew', faults: ['recreateTopic'], closes: [], unplaced: ['trade.updates'], short: true },
    { name: 'clients move between two gateways', gateways: 2, faults: ['move'], closes: [], short: true },
    { name: 'clients move between two gateways that die', gateways: 2, faults: ['move', 'killWorker', 'killIngest', 'killSupervisor'], closes: died },
    {
        name: 'two things at once', together: 2, closes: died, short: true,
        faults: ['killWorker', 'segvIngest', 'killBroker', 'move', 'reload', 'addPartitions'],
    },
    {
        name: 'three things at once, with two gateways', gateways: 2, redis: true, together: 3, closes: died,
        faults: ['killWorker', 'segvWorker', 'hangWorker', 'killIngest', 'segvIngest', 'hangIngest', 'killSupervisor', 'segvSupervisor',
            'stopSupervisor', 'killBroker', 'restartBroker', 'addPartitions', 'move', 'reload', 'killRedis', 'stopRedis', 'fillRedis', 'lockRedis'],
    },
    {
        name: 'the ring is too small', faults: ['lapWorker'], meanwhile: ['move'], rate: 300, padding: 2000, lapped: true, short: true,
        env: { RING_BYTES: String(1 << 20), WS_MAX_QUEUE_BYTES: '65536' }, closes: [1013], refusals: ['TOO_OLD'],
    },
    { name: 'queues are too small', faults: ['move'], rate: 800, padding: 2000, env: { WS_MAX_QUEUE_BYTES: '4096' }, closes: [] },
    { name: 'Redis is in every bad state', gateways: 2, redis: true, faults: ['killRedis', 'stopRedis', 'fillRedis', 'lockRedis', 'move'], closes: [] },
    { name: 'configuration is read again and again', faults: ['reload', 'move'], closes: [] },
    { name: 'wss and compressed', needs: ['tls', 'deflate'], faults: ['killWorker', 'move', 'reload'], closes: died, short: true },
    { name: 'descriptors run out', faults: ['exhaustWorker', 'exhaustSupervisor'], closes: died, short: true },
    { name: 'descriptors run out in ingest', faults: ['exhaustIngest'], closes: [] },
    { name: 'memory runs out in a worker', needs: ['scarce'], faults: ['starveWorker'], meanwhile: ['move'], closes: [1006, 1011, 1013], short: true },
    { name: 'memory runs out behind TLS', needs: ['scarce', 'tls', 'deflate'], faults: ['starveWorker'], meanwhile: ['move'], closes: [1006, 1011, 1013] },
    { name: 'memory runs out in ingest and supervisor', needs: ['scarce'], faults: ['starveIngest', 'starveSupervisor'], closes: [] },
    { name: 'the log has no room', needs: ['fullLog'], faults: ['killWorker', 'killIngest', 'reload'], closes: died },
    { name: 'nobody reads the log', faults: ['deafenLog'], meanwhile: ['move'], env: { LOG_LEVEL: 'debug' }, closes: [], short: true },
    { name: 'the clock jumps', needs: ['clock'], faults: ['stepClock'], meanwhile: ['move'], closes: [], short: true },
    { name: 'the clock jumps, and processes die', needs: ['clock'], together: 2, faults: ['stepClock', 'killWorker', 'killIngest'], closes: died },
    { name: 'a bell is full', faults: ['fillBell'], closes: [] },
];

// Each process, in each way, in each situation.
const victims = { worker: 'Worker', ingest: 'Ingest', 'the supervisor': 'Supervisor' };
const deaths = { crashes: 'segv', 'is killed': 'kill', 'stands still': ['hang', 'stop'] };
const situations = { 'while it is quiet': { rate: 30 }, 'in a burst': { rate: 2000 }, 'while clients resume': { meanwhile: ['move'] }, 'while it reloads': { meanwhile: ['reload'] } };

const faultOf = (death, victim) => `${Array.isArray(death) ? death[victim === 'Supervisor' ? 1 : 0] : death}${victim}`;

const matrix = Object.entries(victims).flatMap(([who, victim]) => Object.entries(deaths).flatMap(([dies, death]) =>
    Object.entries(situations).map(([when, situation]) => {
        const fault = faultOf(death, victim);
        return { name: `${who} ${dies} ${when}`, faults: [fault], closes: /Ingest|stopSupervisor/.test(fault) ? [] : died, ...situation };
    })));

export const scenarios = [...table, ...matrix];
