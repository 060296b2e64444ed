// Apache Kafka for the bench: `node kafka_host.mjs NAME:PARTITIONS...` starts a broker through tests/kafka,
// makes the topics, says {"bootstrap":"HOST:PORT"} and stops when its standard input ends.
import { startKafka } from '../kafka/kafka.mjs';

const kafka = await startKafka();
try {
    for (const topic of process.argv.slice(2)) {
        const [name, partitions] = topic.split(':');
        await kafka.createTopic(name, Number(partitions));
    }
    console.log(JSON.stringify({ bootstrap: kafka.bootstrap, pid: kafka.pid }));
    for await (const _ of process.stdin) ;
} finally {
    await kafka.stop();
}
