#include "shm/feed_table.h"

static void forget_all(struct segment *segment);
static bool feed_matches(const struct feed *feed, struct span room);

void feed_table_set(struct segment *segment, uint32_t topic, const struct feed *feeds,
                    unsigned count) {
    struct feed_topic entry = {.known = feeds != NULL && count <= FEED_MAX, .count = count};
    struct feed_table *table = segment->feeds;
    uint64_t version = load_relaxed(&table->version);

    if (entry.known)
        memcpy(entry.feeds, feeds, count * sizeof(*feeds));
    store_relaxed(&table->version, version | 1);
    fence_release(); /* feed_table_set:A pairs with feed_view_refresh:B */
    if ((version & 1) != 0)
        forget_all(segment);
    order_copy_in(&table->topics[topic], &entry, sizeof(entry));
    store_release(&table->version, (version | 1) + 1); /* feed_table_set:B, feed_view_refresh:A */
}

struct feed feed_of(struct span prefix, bool whole) {
    struct feed feed = {.whole = whole};

    if (prefix.length > FEED_PREFIX_BYTES) {
        prefix.length = FEED_PREFIX_BYTES;
        feed.whole = false;
    }
    feed.length = (uint8_t)prefix.length;
    memcpy(feed.prefix, prefix.data, prefix.length);
    return feed;
}

void feed_view_refresh(struct feed_view *view, const struct segment *segment) {
    const struct feed_table *table = segment->feeds;
    uint64_t version = load_acquire(&table->version); /* feed_view_refresh:A */
    uint32_t count = load_acquire(&segment->positions->topic_count);

    count = count < POSITIONS_MAX_TOPICS ? count : POSITIONS_MAX_TOPICS;
    if (version == view->version && count == view->count)
        return;
    order_copy_out(view->topics, table->topics, count * sizeof(view->topics[0]));
    fence_acquire(); /* feed_view_refresh:B */
    view->count = count;
    view->version = version;
    if ((version & 1) != 0 || load_relaxed(&table->version) != version) {
        /* Being written: everything, until it can be read again. */
        memset(view->topics, 0, count * sizeof(view->topics[0]));
        view->version = UINT64_MAX;
    }
}

bool feed_view_feeds(const struct feed_view *view, uint32_t topic, struct span room) {
    if (topic >= view->count || !view->topics[topic].known)
        return true;
    const struct feed_topic *entry = &view->topics[topic];
    for (unsigned i = 0; i < entry->count && i < FEED_MAX; i++)
        if (feed_matches(&entry->feeds[i], room))
            return true;
    return false;
}

/* Which of them a killed predecessor was at is not known. */
static void forget_all(struct segment *segment) {
    const struct feed_topic unknown = {.known = 0};
    uint32_t count = load_relaxed(&segment->positions->topic_count);

    for (uint32_t topic = 0; topic < count && topic < POSITIONS_MAX_TOPICS; topic++)
        order_copy_in(&segment->feeds->topics[topic], &unknown, sizeof(unknown));
}

static bool feed_matches(const struct feed *feed, struct span room) {
    size_t length = feed->length;
    return length <= room.length && length <= FEED_PREFIX_BYTES &&
           (!feed->whole || length == room.length) && memcmp(feed->prefix, room.data, length) == 0;
}
