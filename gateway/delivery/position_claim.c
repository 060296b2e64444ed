#include "gateway/delivery/position_claim.h"

#include "shm/time_index.h"

#include <stdlib.h>

#define OFFSET_LIMIT 9223372036854775808.0 /* 2^63 */

struct claim_topic {
    char *name;
    uint32_t first, count; /* in offsets */
};

struct position_claim {
    bool same_epoch;
    uint32_t topic_count;
    struct claim_topic *topics;
    int64_t *offsets;
};

static const cJSON *member(const cJSON *object, const char *name);
static int read_topics(struct position_claim *claim, const cJSON *topics);
static int read_topic(struct position_claim *claim, const cJSON *array, uint32_t *used);
static bool read_offset(const cJSON *number, int64_t *out);
static bool named_twice(const struct position_claim *claim, const char *name);
static enum claim_verdict judge_topic(const struct position_claim *claim,
                                      const struct claim_topic *named,
                                      const struct position_rooms *rooms, uint64_t *wants,
                                      uint64_t *from);
static enum claim_verdict judge_partition(const struct position_view *view, uint32_t index,
                                          uint64_t want, bool fed, uint64_t *from);
static bool names_unknown_partition(const struct position_claim *claim,
                                    const struct claim_topic *named,
                                    const struct position_view *view, int topic);

int position_claim_new(const cJSON *position, const char *epoch, struct position_claim **out) {
    const cJSON *named = member(position, "epoch"), *topics = member(position, "topics");
    if (!cJSON_IsString(named) || !cJSON_IsObject(topics)) {
        return -EINVAL;
    }
    struct position_claim *claim = calloc(1, sizeof *claim);
    if (claim == NULL) {
        return -ENOMEM;
    }
    claim->same_epoch = strcmp(named->valuestring, epoch) == 0;
    int result = read_topics(claim, topics);
    if (result != 0) {
        position_claim_free(claim);
        return result;
    }
    *out = claim;
    return 0;
}

void position_claim_free(struct position_claim *claim) {
    if (claim == NULL) {
        return;
    }
    for (uint32_t i = 0; i < claim->topic_count; i++) {
        free(claim->topics[i].name);
    }
    free(claim->topics);
    free(claim->offsets);
    free(claim);
}

enum claim_verdict position_claim_judge(const struct position_claim *claim,
                                        const struct position_rooms *rooms,
                                        uint64_t wants[POSITIONS_MAX_PARTITIONS], uint64_t *from) {
    enum claim_verdict worst = CLAIM_GOOD;
    if (!claim->same_epoch) {
        return CLAIM_UNKNOWN;
    }
    memset(wants, 0xff, POSITIONS_MAX_PARTITIONS * sizeof *wants); /* POSITION_UNKNOWN */
    *from = UINT64_MAX;
    for (uint32_t i = 0; i < claim->topic_count; i++) {
        enum claim_verdict verdict = judge_topic(claim, &claim->topics[i], rooms, wants, from);
        worst = verdict > worst ? verdict : worst;
    }
    return worst;
}

/* NULL when it is not there, or twice, or `object` is none. */
static const cJSON *member(const cJSON *object, const char *name) {
    const cJSON *at, *found = NULL;
    if (!cJSON_IsObject(object)) {
        return NULL;
    }
    cJSON_ArrayForEach(at, object) {
        if (strcmp(at->string, name) == 0) {
            if (found != NULL) {
                return NULL;
            }
            found = at;
        }
    }
    return found;
}

static int read_topics(struct position_claim *claim, const cJSON *topics) {
    const cJSON *topic;
    uint32_t count = 0, offsets = 0;
    cJSON_ArrayForEach(topic, topics) {
        int length = cJSON_IsArray(topic) ? cJSON_GetArraySize(topic) : -1;
        if (length < 0 || length > (int)POSITIONS_MAX_PARTITIONS ||
            ++count > POSITIONS_MAX_TOPICS) {
            return -EINVAL;
        }
        offsets += (uint32_t)length;
    }
    claim->topics = calloc(count + 1, sizeof *claim->topics);
    claim->offsets = calloc(offsets + 1, sizeof *claim->offsets);
    if (claim->topics == NULL || claim->offsets == NULL) {
        return -ENOMEM;
    }
    uint32_t used = 0;
    cJSON_ArrayForEach(topic, topics) {
        int result = read_topic(claim, topic, &used);
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

static int read_topic(struct position_claim *claim, const cJSON *array, uint32_t *used) {
    struct claim_topic *topic = &claim->topics[claim->topic_count];
    const cJSON *number;
    if (strlen(array->string) > POSITIONS_TOPIC_MAX_BYTES || named_twice(claim, array->string)) {
        return -EINVAL;
    }
    topic->name = strdup(array->string);
    if (topic->name == NULL) {
        return -ENOMEM;
    }
    claim->topic_count++;
    topic->first = *used;
    cJSON_ArrayForEach(number, array) {
        if (!read_offset(number, &claim->offsets[*used])) {
            return -EINVAL;
        }
        ++*used;
    }
    topic->count = *used - topic->first;
    return 0;
}

static bool read_offset(const cJSON *number, int64_t *out) {
    if (!cJSON_IsNumber(number) || !(number->valuedouble >= -1.0) ||
        !(number->valuedouble < OFFSET_LIMIT)) {
        return false;
    }
    *out = (int64_t)number->valuedouble;
    return (double)*out == number->valuedouble;
}

static bool named_twice(const struct position_claim *claim, const char *name) {
    for (uint32_t i = 0; i < claim->topic_count; i++) {
        if (strcmp(claim->topics[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static enum claim_verdict judge_topic(const struct position_claim *claim,
                                      const struct claim_topic *named,
                                      const struct position_rooms *rooms, uint64_t *wants,
                                      uint64_t *from) {
    const struct position_view *view = rooms->view;
    int topic = position_topic(view, span_of(named->name));
    if (topic < 0) {
        return CLAIM_NOT_YET;
    }
    enum claim_verdict worst =
        names_unknown_partition(claim, named, view, topic) ? CLAIM_NOT_YET : CLAIM_GOOD;
    const struct position_topic *entry = &view->topics[topic];
    for (uint32_t i = 0; i < entry->count; i++) {
        uint32_t index = view->order[entry->first + i];
        uint32_t number = (uint32_t)view->segment->positions->partitions[index].number;
        /* what is not there counts as -1: nothing has been seen */
        uint64_t want =
            number < named->count ? (uint64_t)(claim->offsets[named->first + number] + 1) : 0;
        wants[index] = want;
        enum claim_verdict verdict = judge_partition(view, index, want, rooms->fed[topic], from);
        worst = verdict > worst ? verdict : worst;
    }
    return worst;
}

static enum claim_verdict judge_partition(const struct position_view *view, uint32_t index,
                                          uint64_t want, bool fed, uint64_t *from) {
    const struct position *position = &view->segment->positions->partitions[index];
    uint64_t start = load_acquire(&position->live_from), next = view->next[index], place;
    uint64_t whole = load_acquire(&position->whole_from);
    if (next == POSITION_UNKNOWN && start != POSITION_UNKNOWN) {
        next = start;
    }
    if (view->behind || start == POSITION_UNKNOWN || want > next ||
        (fed && want < start && next < start)) {
        return CLAIM_NOT_YET; /* the last: history is being read */
    }
    if (!fed || want == next) {
        return CLAIM_GOOD;
    }
    if (!time_index_find(view->segment, index, whole < start ? whole : start, want, &place) ||
        (whole != POSITION_UNKNOWN && want < whole)) {
        return CLAIM_TOO_OLD;
    }
    *from = place < *from ? place : *from;
    return CLAIM_GOOD;
}

/* Partitions may be added on a host that has heard of them earlier. */
static bool names_unknown_partition(const struct position_claim *claim,
                                    const struct claim_topic *named,
                                    const struct position_view *view, int topic) {
    const struct position_topic *entry = &view->topics[topic];
    const struct position *partitions = view->segment->positions->partitions;
    uint32_t known = (uint32_t)partitions[view->order[entry->first + entry->count - 1]].number + 1;
    for (uint32_t i = known; i < named->count; i++) {
        if (claim->offsets[named->first + i] >= 0) {
            return true;
        }
    }
    return false;
}
