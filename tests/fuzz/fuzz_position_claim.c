/* libFuzzer: the position that a client says it has, from its JSON to the verdict about it. The first byte chooses which
 * topics feed the client's rooms; the rest is the JSON. A ring with some records, three topics and a partition without a
 * start stand behind it. What is judged good must ask for nothing that this host does not have.
 * clang -fsanitize=fuzzer,address,undefined */
#include "common/json.h"
#include "gateway/delivery/position_claim.h"
#include "shm/ring_append.h"

#include <stdlib.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define MAX_INPUT          16384

static struct segment segment;
static struct position_view *view;

/* first: -1, not known yet. */
static uint32_t add_partition(const char *topic, int number, int64_t first, int64_t next) {
    int index = positions_intern(segment.positions, span_of(topic), number);
    REQUIRE(index >= 0);
    struct position *position = &segment.positions->partitions[index];
    store_relaxed(&position->live_from, (uint64_t)first);
    store_relaxed(&position->whole_from, (uint64_t)first);
    store_relaxed(&position->next, (uint64_t)next);
    return (uint32_t)index;
}

static void append(struct ring_append *writer, uint32_t partition, int64_t offset) {
    static const char room[] = "trades";
    size_t names_at = sizeof(struct record) + sizeof(struct record_room);
    struct record *record = ring_append_reserve(writer, names_at + sizeof room);
    REQUIRE(record != NULL);
    memset((char *)record + offsetof(struct record, offset), 0,
           record->length - offsetof(struct record, offset));
    record->kind = RECORD_EVENT;
    record->flags = 0;
    record->offset = offset;
    record->partition = partition;
    record->room_count = 1;
    record->rooms[0] = (struct record_room){
        .hash = 1 + partition, .name_at = (uint32_t)names_at, .name_length = sizeof room - 1};
    memcpy((char *)record + names_at, room, sizeof room - 1);
    record->envelope_at = (uint32_t)(names_at + sizeof room - 1);
    record->envelope_length = 1;
    ring_append_commit(writer);
    (void)ring_append_publish(writer);
}

static void init(void) {
    struct ring_append writer;
    int fd;
    REQUIRE(segment_create(SEGMENT_RING_MIN_BYTES, 0, &fd) == 0);
    REQUIRE(segment_map(fd, true, &segment) == 0);
    REQUIRE(ring_append_open(&writer, &segment) == 0);
    uint32_t trades = add_partition("trades", 0, 10, 10), other = add_partition("trades", 2, 0, 0);
    (void)add_partition("order.updates", 0, INT64_MAX - 4, INT64_MAX - 2);
    (void)add_partition("starting", 0, -1, -1);
    for (int64_t i = 0; i < 200; i++) { /* the first of them have left the ring */
        append(&writer, trades, 10 + i);
        append(&writer, other, i);
    }
    ring_append_done(&writer);
    REQUIRE(position_view_new(&segment, 1, &view) == 0);
    position_refresh(view);
}

static void check(const struct position_rooms *rooms, const uint64_t *wants, uint64_t from) {
    bool missing = false;
    for (uint32_t i = 0; i < view->partition_count; i++) {
        const struct position *position = &segment.positions->partitions[i];
        if (wants[i] != POSITION_UNKNOWN) {
            REQUIRE(wants[i] <= view->next[i]);
            missing = missing || (rooms->fed[position->topic] && wants[i] != view->next[i]);
        }
    }
    for (uint32_t i = view->partition_count; i < POSITIONS_MAX_PARTITIONS; i++) {
        REQUIRE(wants[i] == POSITION_UNKNOWN);
    }
    REQUIRE(missing == (from != UINT64_MAX));
    REQUIRE(!missing || from < load_relaxed(&segment.words->published));
}

static void judge(const struct position_claim *claim, uint8_t fed) {
    static uint64_t wants[POSITIONS_MAX_PARTITIONS];
    struct position_rooms rooms = {.view = view};
    uint64_t from = 0;
    for (uint32_t i = 0; i < view->topic_count; i++) {
        rooms.fed[i] = (fed >> i & 1) != 0;
    }
    enum claim_verdict verdict = position_claim_judge(claim, &rooms, wants, &from);
    REQUIRE(verdict <= CLAIM_UNKNOWN);
    if (verdict == CLAIM_GOOD) {
        check(&rooms, wants, from);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct position_claim *claim = NULL;
    if (view == NULL) {
        init();
    }
    if (size < 1 || size > MAX_INPUT ||
        json_check((struct span){(const char *)data + 1, size - 1}, NULL, NULL) != JSON_OK) {
        return 0; /* no message comes so far */
    }
    cJSON *position = cJSON_ParseWithLength((const char *)data + 1, size - 1);
    int result = position != NULL ? position_claim_new(position, "1", &claim) : -EINVAL;
    REQUIRE(result == 0 || result == -EINVAL);
    REQUIRE((result == 0) == (claim != NULL));
    cJSON_Delete(position);
    if (claim != NULL) {
        judge(claim, data[0]);
        position_claim_free(claim);
    }
    return 0;
}
