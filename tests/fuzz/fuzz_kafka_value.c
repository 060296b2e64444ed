/* libFuzzer: a Kafka value through the check, the routing and the envelope, by each of the routes below (the first
 * byte chooses). What comes out must be a record that workers accept: whole JSON, valid rooms, each once.
 * clang -fsanitize=fuzzer,address,undefined */
#include "ingest/event_rooms.h"
#include "ingest/event_wrap.h"

#include <stdlib.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define MAX_INPUT          65536

static const char table_text[] =
    "p price_update prices,prices:{chainId}:{token} conflate={chainId}:{token} "
    "require=token,price\n"
    "o order_update orders:{userId},order:{orderId} require=orderId,userId\n"
    "n notification notifications:{userId}/notifications require=title\n"
    "u user_action user:{userIds[]},team:{members[].id},deep:{a.b.c}\n"
    "e - -\n"
    "c @control -\n";

static struct route_table *routes;

static void init(void) {
    char error[256];
    REQUIRE(route_table_parse("fuzz", (struct span)SPAN_LITERAL(table_text), &routes, error,
                              sizeof error) == 0);
}

static void check_rooms(const struct event_rooms *rooms, const struct siphash_key *key) {
    REQUIRE(rooms->count <= RECORD_MAX_ROOMS && rooms->names_length <= sizeof rooms->names);
    for (unsigned i = 0; i < rooms->count; i++) {
        const struct event_room *room = &rooms->list[i];
        REQUIRE(room->name_at + room->name_length <= rooms->names_length);
        REQUIRE(room->kind < ROOM_KIND_COUNT);
        struct span name = {rooms->names + room->name_at, room->name_length};
        REQUIRE(room_name_valid(name));
        REQUIRE(room->hash == room_name_hash(key, name));
        for (unsigned j = 0; j < i; j++) {
            struct span other = {rooms->names + rooms->list[j].name_at, rooms->list[j].name_length};
            REQUIRE(rooms->list[j].kind != room->kind || !span_equal(name, other));
        }
    }
}

static void check_envelope(const struct event *event) {
    const struct event_source source = {
        .label = SPAN_LITERAL("topic:7"), .offset = INT64_MAX, .kafka_time_ms = 1700000000000};
    struct event_wrap wrap;
    struct json_value envelope, data;
    event_wrap_prepare(&wrap, &source, event);
    char *text = malloc(wrap.length); /* exactly, so that a byte too many is seen */
    REQUIRE(text != NULL);
    REQUIRE(event_wrap_write(&wrap, text) == text + wrap.length);
    REQUIRE(json_check((struct span){text, wrap.length}, &envelope, NULL) == JSON_OK);
    REQUIRE(json_get(envelope, "data", &data) == 1 && span_equal(data.text, event->data.text));
    REQUIRE(json_get(envelope, "type", &data) == 1 && span_equal(data.text, event->type));
    REQUIRE(json_get(envelope, "id", &data) == 1);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct siphash_key key = {.k0 = 1, .k1 = 2};
    static struct event_rooms rooms;
    struct event event;
    if (routes == NULL) {
        init();
    }
    if (size < 1 || size > MAX_INPUT) {
        return 0;
    }
    const struct route *route = routes->routes[data[0] % routes->count];
    enum event_fault fault =
        event_check(route, (struct span){(const char *)data + 1, size - 1}, &event);
    REQUIRE(event_check_text(fault) != NULL);
    if (fault != EVENT_OK) {
        return 0;
    }
    REQUIRE(event.data.type == JSON_OBJECT || route->kind == ROUTE_CONTROL);
    fault = event_rooms_find(&key, route, &event, &rooms);
    if (fault == EVENT_OK && route->kind != ROUTE_CONTROL) {
        REQUIRE(rooms.count >= 1);
        check_rooms(&rooms, &key);
        check_envelope(&event);
    }
    return 0;
}
