#include "gateway/delivery/position.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t next_from_start(const struct position_view *view, uint32_t partition,
                                uint64_t next);
static bool look_back(struct position_view *view, uint64_t cursor);
static void sort_partitions(struct position_view *view);
static uint32_t numbers_of(const struct position_view *view, uint32_t topic);
static size_t put_topic(struct position_view *view, uint32_t topic, char *out, size_t size);

static const struct position *partition_at(const struct position_view *view, uint32_t index) {
    return &view->segment->positions->partitions[index];
}

int position_view_new(const struct segment *segment, int64_t epoch, struct position_view **out) {
    struct position_view *view = calloc(1, sizeof *view);
    if (view == NULL) {
        return -ENOMEM;
    }
    view->segment = segment;
    view->epoch = epoch;
    uint32_t count = positions_count(segment->positions);
    for (uint32_t i = 0; i < POSITIONS_MAX_PARTITIONS; i++) {
        view->next[i] =
            i < count ? load_acquire(&segment->positions->partitions[i].next) : POSITION_UNKNOWN;
    }
    view->noted.published = UINT64_MAX; /* nothing is noted */
    *out = view;
    return 0;
}

void position_view_free(struct position_view *view) {
    free(view);
}

void position_note(struct position_view *view, uint64_t cursor) {
    if (view->noted.published != UINT64_MAX && cursor < view->noted.published) {
        return;
    }
    /* after a jump to the ring's end: the producer's offsets count only what lies below `indexed` */
    if (load_acquire(&view->segment->words->indexed) < cursor) {
        return;
    }
    for (uint32_t i = 0; view->noted.published != UINT64_MAX && i < view->noted.count; i++) {
        uint64_t noted = view->noted.next[i];
        if (noted != POSITION_UNKNOWN &&
            (view->next[i] == POSITION_UNKNOWN || noted > view->next[i])) {
            position_move(view, i, noted, cursor);
        }
    }
    view->behind = view->behind && view->noted.published == UINT64_MAX;
    view->noted.count = positions_count(view->segment->positions);
    for (uint32_t i = 0; i < view->noted.count; i++) {
        view->noted.next[i] = load_acquire(&partition_at(view, i)->next);
    }
    /* read after the offsets: every record that they count lies below it */
    view->noted.published = load_acquire(&view->segment->words->published);
}

void position_jumped(struct position_view *view, uint64_t cursor) {
    view->behind = true;
    view->noted.published = UINT64_MAX;
    position_note(view, cursor);
    position_note(view, cursor); /* where nothing has come meanwhile the first one counts at once */
}

uint64_t position_next(const struct position_view *view, uint32_t partition) {
    return next_from_start(view, partition, view->next[partition]);
}

static uint64_t next_from_start(const struct position_view *view, uint32_t partition,
                                uint64_t next) {
    uint64_t start = load_acquire(&partition_at(view, partition)->live_from);
    if (next == POSITION_UNKNOWN || start == POSITION_UNKNOWN) {
        return start;
    }
    return next > start ? next : start;
}

void position_refresh(struct position_view *view) {
    uint32_t count = positions_count(view->segment->positions);
    feed_view_refresh(&view->feeds, view->segment);
    if (count != view->partition_count || view->topic_count != view->feeds.count) {
        view->partition_count = count;
        view->topic_count = view->feeds.count;
        sort_partitions(view);
    }
}

int position_topic(const struct position_view *view, struct span name) {
    for (uint32_t i = 0; i < view->topic_count; i++) {
        const struct position_topic *topic = &view->topics[i];
        if (topic->count > 0 && span_equal(name, positions_topic_name(view->segment->positions,
                                                                      view->order[topic->first]))) {
            return (int)i;
        }
    }
    return -ENOENT;
}

void position_rooms_add(struct position_rooms *rooms, struct span room) {
    for (uint32_t i = 0; i < rooms->view->topic_count; i++) {
        rooms->fed[i] = rooms->fed[i] || feed_view_feeds(&rooms->view->feeds, i, room);
    }
}

bool position_text(struct position_view *view, const struct position_rooms *rooms, uint64_t cursor,
                   struct span *out) {
    if (!look_back(view, cursor)) {
        return false;
    }
    char *text = view->text;
    size_t size = sizeof view->text;
    size_t used =
        (size_t)snprintf(text, size, "{\"epoch\":\"%" PRId64 "\",\"topics\":{", view->epoch);
    bool first = true;
    for (uint32_t i = 0; i < view->topic_count; i++) {
        if (!rooms->fed[i] || view->topics[i].count == 0) {
            continue;
        }
        if (!first) {
            text[used++] = ',';
        }
        first = false;
        used += put_topic(view, i, text + used, size - used);
    }
    memcpy(text + used, "}}", 3);
    *out = (struct span){text, used + 2};
    return true;
}

/* What has moved since is moved back, the latest first. */
static bool look_back(struct position_view *view, uint64_t cursor) {
    memcpy(view->told, view->next, sizeof view->told);
    for (uint64_t move = view->moves; move > 0; move--) {
        const struct position_move *last = &view->log[(move - 1) % POSITION_LOG];
        if (view->moves - move == POSITION_LOG) {
            return false;
        }
        if (last->cursor <= cursor) {
            return true;
        }
        view->told[last->partition] = last->next;
    }
    return true;
}

/* By topic, then by number: counted, then placed. */
static void sort_partitions(struct position_view *view) {
    uint32_t at = 0;
    memset(view->topics, 0, sizeof view->topics);
    for (uint32_t topic = 0; topic < view->topic_count; topic++) {
        view->topics[topic].first = at;
        for (uint32_t i = 0; i < view->partition_count; i++) {
            if (partition_at(view, i)->topic == topic) {
                uint32_t place = at++;
                while (place > view->topics[topic].first &&
                       partition_at(view, view->order[place - 1])->number >
                           partition_at(view, i)->number) {
                    view->order[place] = view->order[place - 1];
                    place--;
                }
                view->order[place] = i;
            }
        }
        view->topics[topic].count = at - view->topics[topic].first;
    }
}

/* Numbers have no holes in Kafka; if they had, no text may grow by it. */
static uint32_t numbers_of(const struct position_view *view, uint32_t topic) {
    const struct position_topic *entry = &view->topics[topic];
    int32_t last = partition_at(view, view->order[entry->first + entry->count - 1])->number;
    return last < (int32_t)POSITIONS_MAX_PARTITIONS ? (uint32_t)last + 1 : POSITIONS_MAX_PARTITIONS;
}

/* `"name":[41,-1,7]` */
static size_t put_topic(struct position_view *view, uint32_t topic, char *out, size_t size) {
    const struct position_topic *entry = &view->topics[topic];
    struct span name = positions_topic_name(view->segment->positions, view->order[entry->first]);
    size_t used = (size_t)snprintf(out, size, "\"" SPAN_FORMAT "\":[", SPAN_ARGS(name));
    uint32_t numbers = numbers_of(view, topic), at = 0;
    for (uint32_t number = 0; number < numbers && used + 24 < size; number++) {
        int64_t offset = -1;
        if (at < entry->count) {
            uint32_t index = view->order[entry->first + at];
            if (partition_at(view, index)->number == (int32_t)number) {
                uint64_t next = next_from_start(view, index, view->told[index]);
                offset = next == POSITION_UNKNOWN ? -1 : (int64_t)next - 1;
                at++;
            }
        }
        used +=
            (size_t)snprintf(out + used, size - used, "%s%" PRId64, number > 0 ? "," : "", offset);
    }
    out[used++] = ']';
    return used;
}
