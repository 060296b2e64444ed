// What is done to a running gateway and its surroundings, by name. Each takes the scene (scene.mjs) and resolves when what
// it broke is whole again; what the gateway must bring about itself has a deadline. Any two may happen at once.
import { hostFaults } from './faults_host.mjs';
import { kafkaFaults } from './faults_kafka.mjs';
import { processFaults } from './faults_process.mjs';
import { redisFaults } from './faults_redis.mjs';
import { pause } from './random.mjs';

async function move({ wanderers, random }) {
    for (let n = random.between(5, 15); n > 0; n--) {
        random.of(wanderers).leave();
        await pause(random.between(0, 40));
    }
}

export const faults = { ...processFaults, ...kafkaFaults, ...hostFaults, ...redisFaults, move };
