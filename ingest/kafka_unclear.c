#include "ingest/kafka_unclear.h"

#include "common/clock.h"
#include "common/log.h"

#define TELL_AGAIN_MS 10000

void kafka_unclear_note(struct kafka_topic *topic, rd_kafka_resp_err_t error) {
    topic->unclear =
        error != RD_KAFKA_RESP_ERR_NO_ERROR && error != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        topic->denied = true;
    }
    /* one that is just being made has no leader yet: not worth a line */
    if (topic->unclear && (topic->denied || topic->route->kind == ROUTE_CONTROL)) {
        kafka_unclear_tell(topic, error);
    }
}

void kafka_unclear_tell(struct kafka_topic *topic, rd_kafka_resp_err_t error) {
    uint64_t now_ms = clock_mono_ms();

    if (topic->unclear_told_ms != 0 && now_ms - topic->unclear_told_ms < TELL_AGAIN_MS) {
        return;
    }
    topic->unclear_told_ms = now_ms;
    log_error("topic %s can't be read: %s: %s", topic->route->topic, rd_kafka_err2str(error),
              topic->route->kind == ROUTE_CONTROL
                  ? "whom it has revoked is not known; until it has been read nobody is let in"
                  : "its events reach nobody");
}

bool kafka_unclear_control(const struct kafka_topics *topics) {
    for (unsigned i = 0; i < topics->count; i++) {
        if (topics->topics[i].unclear && topics->topics[i].route->kind == ROUTE_CONTROL) {
            return true;
        }
    }
    return false;
}
