#include "shm/positions.h"

static bool topic_valid(struct span topic);
static bool topic_character(char c);
static uint32_t topics_count(const struct positions *positions);
static struct span topic_name(const struct positions *positions, uint32_t topic);
static int find_topic(const struct positions *positions, struct span name);
static int find_partition(const struct positions *positions, uint32_t topic, int32_t number);
static int add_topic(struct positions *positions, struct span name);
static int add_partition(struct positions *positions, uint32_t topic, int32_t number,
                         uint64_t start);

int positions_intern(struct positions *positions, struct span topic, int32_t number) {
    return positions_intern_from(positions, topic, number, POSITION_UNKNOWN);
}

int positions_intern_from(struct positions *positions, struct span topic, int32_t number,
                          uint64_t start) {
    if (!topic_valid(topic) || number < 0)
        return -EINVAL;
    int found = find_topic(positions, topic);
    if (found >= 0) {
        int partition = find_partition(positions, (uint32_t)found, number);
        if (partition != -ENOENT)
            return partition;
    }
    if (positions_count(positions) == POSITIONS_MAX_PARTITIONS)
        return -ENOSPC;
    if (found < 0)
        found = add_topic(positions, topic);
    return found < 0 ? found : add_partition(positions, (uint32_t)found, number, start);
}

int positions_find(const struct positions *positions, struct span topic, int32_t number) {
    int found = find_topic(positions, topic);
    return found < 0 ? found : find_partition(positions, (uint32_t)found, number);
}

void positions_mark(struct positions *positions, uint32_t index, uint64_t offset, int64_t time_ms,
                    uint64_t length) {
    struct position_mark *mark = &positions->marks[index];

    positions_unmark(positions, index);
    store_relaxed(&mark->time_ms, (uint64_t)time_ms);
    store_relaxed(&mark->length, length);
    store_release(&mark->offset, offset);
}

void positions_unmark(struct positions *positions, uint32_t index) {
    store_relaxed(&positions->marks[index].offset, POSITION_UNKNOWN);
    fence_release();
}

struct span positions_topic_name(const struct positions *positions, uint32_t partition) {
    if (partition >= positions_count(positions))
        return (struct span){"", 0};
    uint32_t topic = positions->partitions[partition].topic;
    return topic < topics_count(positions) ? topic_name(positions, topic) : (struct span){"", 0};
}

uint32_t positions_count(const struct positions *positions) {
    /* positions_count:A pairs with add_partition:A: what lies below the count is filled in. */
    uint32_t count = load_acquire(&positions->partition_count);
    return count < POSITIONS_MAX_PARTITIONS ? count : POSITIONS_MAX_PARTITIONS;
}

static uint32_t topics_count(const struct positions *positions) {
    /* topics_count:A pairs with add_topic:A. */
    uint32_t count = load_acquire(&positions->topic_count);
    return count < POSITIONS_MAX_TOPICS ? count : POSITIONS_MAX_TOPICS;
}

static struct span topic_name(const struct positions *positions, uint32_t topic) {
    const struct positions_topic *entry = &positions->topics[topic];
    size_t length = entry->name_length <= POSITIONS_TOPIC_MAX_BYTES ? entry->name_length : 0;
    return (struct span){entry->name, length};
}

static int find_topic(const struct positions *positions, struct span name) {
    uint32_t count = topics_count(positions);
    for (uint32_t i = 0; i < count; i++)
        if (span_equal(topic_name(positions, i), name))
            return (int)i;
    return -ENOENT;
}

static int find_partition(const struct positions *positions, uint32_t topic, int32_t number) {
    uint32_t count = positions_count(positions);
    for (uint32_t i = 0; i < count; i++) {
        const struct position *entry = &positions->partitions[i];
        if (entry->topic == topic && entry->number == number)
            return (int)i;
    }
    return -ENOENT;
}

/* A writer killed in mid-entry has not counted it: its successor fills the same place again. */
static int add_topic(struct positions *positions, struct span name) {
    uint32_t index = topics_count(positions);
    if (index == POSITIONS_MAX_TOPICS)
        return -ENOSPC;
    struct positions_topic *entry = &positions->topics[index];
    memset(entry, 0, sizeof(*entry));
    memcpy(entry->name, name.data, name.length);
    entry->name_length = (uint32_t)name.length;
    store_release(&positions->topic_count, index + 1); /* add_topic:A pairs with topics_count:A */
    return (int)index;
}

static int add_partition(struct positions *positions, uint32_t topic, int32_t number,
                         uint64_t start) {
    uint32_t index = positions_count(positions);
    struct position *entry = &positions->partitions[index];
    entry->topic = topic;
    entry->number = number;
    store_relaxed(&entry->next, start);
    store_relaxed(&entry->live_from, start);
    store_relaxed(&entry->whole_from, start);
    store_relaxed(&entry->high_watermark, 0);
    store_relaxed(&entry->gaps, 0);
    store_relaxed(&entry->errors, 0);
    store_relaxed(&entry->restarts, 0);
    store_relaxed(&entry->state, POSITION_IDLE);
    positions_unmark(positions, index);
    /* add_partition:A pairs with positions_count:A: counted only when it is whole. */
    store_release(&positions->partition_count, index + 1);
    return (int)index;
}

/* Kafka's own rule for topic names. */
static bool topic_valid(struct span topic) {
    if (topic.length == 0 || topic.length > POSITIONS_TOPIC_MAX_BYTES || span_is(topic, ".") ||
        span_is(topic, ".."))
        return false;
    for (size_t i = 0; i < topic.length; i++)
        if (!topic_character(topic.data[i]))
            return false;
    return true;
}

static bool topic_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}
