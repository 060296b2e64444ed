#include "ingest/once_answer.h"

static int64_t consumed(const struct once_answer *answer, const struct uplink_once *mark,
                        int32_t partition, int64_t offset, int64_t now_ms);
static bool is_first(const struct once_answer_place *place, const struct uplink_once *mark,
                     int32_t partition, int64_t offset, int64_t now_ms);

void once_answer_init(struct once_answer *answer, const struct once *once,
                      struct kafka_topics *topics, const char *topic) {
    memset(answer, 0, sizeof(*answer));
    answer->once = once;
    answer->topics = topics;
    answer->topic = topic;
}

int64_t once_answer_offset(struct once_answer *answer, const struct uplink_once *mark,
                           int32_t partition, int64_t offset, int64_t now_ms) {
    unsigned number = (unsigned)(mark->bytes[0] << 8 | mark->bytes[1]) % ONCE_ANSWER_PLACES;
    struct once_answer_place *place = &answer->places[number];
    int64_t first = consumed(answer, mark, partition, offset, now_ms);

    if (first < 0 && is_first(place, mark, partition, offset, now_ms)) {
        return place->offset;
    }
    first = first >= 0 ? first : offset;
    *place = (struct once_answer_place){*mark, partition, first, now_ms};
    return first;
}

/* -1: not known. */
static int64_t consumed(const struct once_answer *answer, const struct uplink_once *mark,
                        int32_t partition, int64_t offset, int64_t now_ms) {
    struct kafka_topic *topic = kafka_topics_find(answer->topics, answer->topic);
    const struct kafka_partition *found =
        topic != NULL ? kafka_topics_partition(topic, partition) : NULL;

    return found != NULL && found->position != NULL && answer->once->block != NULL
               ? once_first(answer->once, found->index, mark, offset, now_ms)
               : -1;
}

static bool is_first(const struct once_answer_place *place, const struct uplink_once *mark,
                     int32_t partition, int64_t offset, int64_t now_ms) {
    return memcmp(&place->mark, mark, sizeof(*mark)) == 0 && place->partition == partition &&
           place->offset < offset && now_ms - place->time_ms <= ONCE_WINDOW_MS;
}
