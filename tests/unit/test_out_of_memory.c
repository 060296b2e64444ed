/* A client's whole visit, from the handshake to the Close, with the n-th allocation failing, for each n; then with all
 * from the n-th on. Whatever fails: the process lives, the connection ends or goes on, and nothing stays behind. */
#include "tests/unit/conn_fixture.h"

#include "common/clock.h"
#include "common/log.h"
#include "tests/unit/failing_memory.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

/* A visit has fewer allocations: no_visit_has_more_allocations_than_are_tried. */
#define LAST_FAILURE (MEMORY_FAILS ? 600 : 2)

static char *token;
static int host_fd;

static void set_up_visit(void) {
    struct option_command command;
    char error[256], *argv[] = {(char[]){"test"}, NULL};
    set_up();
    log_init("test", LOG_LEVEL_ERROR, LOG_FORMAT_JSON);
    ck_assert_int_eq(host_block_create(&host_fd), 0);
    ck_assert_int_eq(host_block_map(host_fd, true, &worker.view.host), 0);
    ck_assert_int_eq(option_parse(1, argv, &options, &command, error, sizeof error), 0);
    options.jwt_secret = "0123456789abcdef0123456789abcdef";
    options.auto_join_rooms = "prices,orders:{userId}";
    ck_assert_int_eq(auth_new(&options, false, &worker.auth, error, sizeof error), 0);
    struct identity identity = {.user_id = "a-user-id-that-is-longer-than-those-kept-inline",
                                .role_count = 1,
                                .roles = {"trader"}};
    ck_assert_int_eq(auth_mint(worker.auth, &identity, clock_wall_ms(), 3600, &token), 0);
}

static void tear_down_visit(void) {
    auth_free(worker.auth);
    free(token);
    host_block_unmap(worker.view.host);
    close(host_fd);
    tear_down();
}

/* As far as the other side still listens. */
static void try_say(const void *bytes, size_t length) {
    ssize_t sent = send(peer, bytes, length, MSG_NOSIGNAL);
    (void)sent;
    for (int i = 0; i < 3; i++) {
        turn();
    }
}

static void try_frame(uint8_t first, const char *text) {
    unsigned char frame[2048] = {first, 0xfe};
    size_t length = strlen(text), header = length < 126 ? 6 : 8;
    frame[1] = (unsigned char)(0x80 | (length < 126 ? length : 126));
    if (length >= 126) {
        frame[2] = (unsigned char)(length >> 8);
        frame[3] = (unsigned char)length;
    }
    memcpy(frame + header, text, length); /* masked with zeros */
    try_say(frame, header + length);
}

/* An event for one room, the way ingest writes it. */
static void try_event(const char *room) {
    static _Alignas(8) unsigned char bytes[512];
    struct record *record = (struct record *)bytes;
    struct span key;
    enum room_kind kind = room_name_kind(span_of(room), &key);
    uint32_t at = (uint32_t)(sizeof *record + sizeof(struct record_room));
    memset(bytes, 0, sizeof bytes);
    record->kind = RECORD_EVENT;
    record->room_count = 1;
    record->rooms[0] =
        (struct record_room){.hash = room_name_hash(&worker.view.segment.header->hash_key, key),
                             .name_at = at,
                             .name_length = (uint16_t)key.length,
                             .kind = (uint16_t)kind};
    memcpy(bytes + at, key.data, key.length);
    record->envelope_at = at + (uint32_t)key.length;
    record->envelope_length = 100;
    record->length = sizeof bytes;
    long reached = fanout_record(&worker, record);
    (void)reached;
    turn();
}

static void visit(void) {
    char authenticate[1024];
    snprintf(authenticate, sizeof authenticate,
             "{\"type\":\"authenticate\",\"id\":\"1\",\"data\":{\"token\":\"%s\"}}", token);
    static const char handshake[] = "GET /ws HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\n"
                                    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0) {
        abort();
    }
    peer = pair[1];
    allocations.armed = true;
    if (conn_new(&worker, pair[0]) != NULL) {
        try_say(handshake, sizeof handshake - 1);
        try_frame(0x81, "{\"type\":\"ping\"}");
        try_frame(0x81, authenticate);
        try_frame(0x81,
                  "{\"type\":\"subscribe\",\"data\":{\"channels\":[\"trades\",\"system_alerts\","
                  "\"user_actions\",\"prices:1:a\",\"prices:1:b\"]}}");
        try_event("prices");
        try_event("orders:a-user-id-that-is-longer-than-those-kept-inline");
        try_frame(0x01, "{\"type\":");
        try_frame(0x89, "in between");
        try_frame(0x80, "\"get_rooms\"}");
        try_frame(0x81, authenticate);
        try_frame(0x81, "{\"type\":\"unsubscribe\",\"data\":{\"channel\":\"trades\"}}");
        try_frame(0x88, "\x03\xe8");
    }
    allocations.armed = false;
}

static void check_nothing_left(void) {
    close(peer);
    peer = -1;
    for (int i = 0; i < 4; i++) {
        turn();
    }
    ck_assert_uint_eq(stats_get(worker.stats, STAT_SOCKETS), 0);
    ck_assert_uint_eq(worker.conns->slab.used, 0);
    ck_assert_uint_eq(worker.conns->roles.slab.used, 0);
    ck_assert_uint_eq(worker.fanout->users.users.used, 0);
    ck_assert_uint_eq(worker.fanout->rooms.rooms.used, 0);
    ck_assert_uint_eq(worker.fanout->rooms.nodes.used, 0);
    ck_assert_uint_eq(worker.fanout->queues.bytes, 0);
    ck_assert_uint_eq(worker.fanout->queues.nodes.used, 0);
}

static ssize_t heard_in_visit(void) {
    size_t total = 0;
    for (ssize_t got; (got = recv(peer, heard + total, sizeof heard - total, MSG_DONTWAIT)) > 0;) {
        total += (size_t)got;
    }
    return (ssize_t)total;
}

START_TEST(one_allocation_fails) {
    allocations.fail_at = (unsigned)_i;
    visit();
    check_nothing_left();
    /* and the next visitor is served */
    allocations.fail_at = 0;
    visit();
    ck_assert_ptr_nonnull(memmem(heard, (size_t)heard_in_visit(), "auth_success", 12));
    check_nothing_left();
}
END_TEST

START_TEST(all_allocations_fail_from_one_on) {
    allocations.fail_at = (unsigned)_i;
    allocations.from_then_on = true;
    visit();
    check_nothing_left();
}
END_TEST

START_TEST(no_visit_has_more_allocations_than_are_tried) {
    visit();
    size_t length = (size_t)heard_in_visit();
    static const char *const parts[] = {
        "101 Switching", "auth_required", "pong",      "auth_success", "auto_subscribed",
        "prices:1:b",    "in between",    "\"rooms\"", "unsubscribed", "\x88\x02\x03\xe8"};
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        ck_assert_msg(memmem(heard, length, parts[i], strlen(parts[i])) != NULL, "%s", parts[i]);
    }
    ck_assert_uint_lt(allocations.count, LAST_FAILURE);
    check_nothing_left();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("out_of_memory");
    TCase *tests = tcase_create("out_of_memory");
    tcase_set_timeout(tests, 10);
    tcase_add_checked_fixture(tests, set_up_visit, tear_down_visit);
    tcase_add_test(tests, no_visit_has_more_allocations_than_are_tried);
    tcase_add_loop_test(tests, one_allocation_fails, 1, LAST_FAILURE);
    tcase_add_loop_test(tests, all_allocations_fail_from_one_on, 1, LAST_FAILURE);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
