// The table. `short`: also part of `make test`. `closes`: codes with which the gateway may end a connection; none where no
// process dies that holds one: a healthy client is not closed. `refusals`: reasons for which a resume may be refused.
const died = [1006];

export const scenarios = [
    { name: 'nothing happens', faults: [], closes: [] },
    { name: 'workers are killed', faults: ['killWorker'], closes: died, short: true },
    { name: 'workers die in a flood', faults: ['killWorker'], rate: 3000, closes: died },
    { name: 'ingest is killed', faults: ['killIngest'], closes: [], short: true },
    { name: 'the supervisor is killed and started again', faults: ['killSupervisor'], closes: died, short: true },
    { name: 'everything is killed, and clients move', faults: ['killWorker', 'killIngest', 'killSupervisor', 'move'], closes: died },
    { name: 'a worker hangs', faults: ['hangWorker'], closes: died },
    { name: 'ingest hangs', faults: ['hangIngest'], closes: [], short: true },
    { name: 'the broker is restarted', faults: ['restartBroker'], closes: [] },
    { name: 'the broker is killed', faults: ['killBroker'], closes: [], short: true },
    { name: 'broker and ingest are killed', faults: ['killBroker', 'killIngest'], closes: [] },
    { name: 'partitions are added', faults: ['addPartitions', 'move'], closes: [] },
    { name: 'clients move between two gateways', gateways: 2, faults: ['move'], closes: [], short: true },
    { name: 'clients move between two gateways that die', gateways: 2, faults: ['move', 'killWorker', 'killIngest', 'killSupervisor'], closes: died },
    {
        name: 'the ring is too small', faults: ['delayWorker', 'move'], rate: 800, padding: 2000, lapped: true, short: true,
        env: { RING_BYTES: String(1 << 20), WS_MAX_QUEUE_BYTES: '65536' }, closes: [1013], refusals: ['TOO_OLD'],
    },
    { name: 'queues are too small', faults: ['move'], rate: 800, padding: 2000, env: { WS_MAX_QUEUE_BYTES: '4096' }, closes: [] },
    { name: 'Redis is killed', gateways: 2, redis: true, faults: ['killRedis', 'move'], closes: [] },
    { name: 'configuration is read again and again', faults: ['reload', 'move'], closes: [], short: true },
];
