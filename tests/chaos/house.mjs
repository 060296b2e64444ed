// What scenarios share: a Kafka with its topics, how many partitions each has by now, and what producers were told to be in it.
import { startKafka } from '../kafka/kafka.mjs';
import { TOPICS } from './load.mjs';

export async function startHouse(brokers = 1) {
    const kafka = await startKafka({ brokers });
    await Promise.all(Object.entries(TOPICS).map(([topic, count]) => kafka.createTopic(topic, count)));
    return { kafka, partitions: { ...TOPICS }, sent: [] };
}
