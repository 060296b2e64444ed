// With three nodes each partition has three copies, two of which must have a message before it counts, and a node that
// has come back soon leads its partitions again. Three Java machines on a busy host miss more heartbeats than one.
const several = `
controlled.shutdown.enable=true
min.insync.replicas=2
broker.session.timeout.ms=4000
leader.imbalance.check.interval.seconds=2
replica.lag.time.max.ms=5000
`.trimStart();

// The configuration of a node, from its folder, its own number and ports, and those of all.
export const serverProperties = (dir, { number, port, controllerPort }, nodes) => `
process.roles=broker,controller
node.id=${number}
controller.quorum.voters=${nodes.map(node => `${node.number}@127.0.0.1:${node.controllerPort}`).join()}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=${dir}/data
num.network.threads=2
num.io.threads=2
num.partitions=1
auto.create.topics.enable=false
offsets.topic.num.partitions=1
default.replication.factor=${nodes.length}
offsets.topic.replication.factor=${nodes.length}
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
controlled.shutdown.enable=false
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=300
log.segment.delete.delay.ms=1000
`.trimStart() + (nodes.length > 1 ? several : '');
