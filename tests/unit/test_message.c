/* What a client says and what it is answered: envelope, authentication, channels, ping, rooms. */
#include "common/clock.h"
#include "gateway/message/auto_join.h"
#include "gateway/message/reply.h"
#include "tests/fake/fake_conn.h"
#include "tests/fake/fake_presence.h"
#include "tests/unit/unit.h"

#define NOW_MS 1700000000123LL
#define SECRET "0123456789abcdef0123456789abcdef"
#define I64    "iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii"
#define SEVEN  7

static struct options options;
static struct stats stats;
static struct worker worker;
static struct conn conn;

static void set_up(void) {
    char error[256];

    memset(&options, 0, sizeof(options));
    options.jwt_secret = SECRET;
    options.jwt_secret_file = "";
    options.jwt_algorithms = "HS256";
    options.jwt_issuer = "";
    options.jwt_audience = "";
    options.jwt_leeway_seconds = 30;
    options.auth_timeout = 10000;
    options.ws_max_subscriptions = 100;
    options.auto_join_rooms = "prices,trades,system_alerts,user:{userId},portfolio:{userId},"
                              "orders:{userId},notifications:{userId}";
    memset(&stats, 0, sizeof(stats));
    memset(&worker, 0, sizeof(worker));
    memset(&conn, 0, sizeof(conn));
    worker.options = &options;
    worker.stats = &stats;
    worker.presence = (struct presence *)&fake_presence; /* never looked into */
    fake_conn_there = &conn;
    memset(&fake_presence, 0, sizeof(fake_presence));
    ck_assert_int_eq(auth_new(&options, false, &worker.auth, error, sizeof(error)), 0);
    clock_set_fake(1000000000, NOW_MS);
}

static void tear_down(void) {
    fake_conn_reset(&conn);
    auth_free(worker.auth);
    clock_set_real();
}

static void say(const char *text) {
    fake_conn_reset_replies(&conn);
    message_receive(&worker, &conn, span_of(text));
}

static void mint(const char *user_id, const char *role, long long ttl_s, char **out) {
    struct identity identity = {.email = "a@b.example", .role_count = 1};

    strcpy(identity.user_id, user_id);
    strcpy(identity.roles[0], role);
    ck_assert_int_eq(auth_mint(worker.auth, &identity, NOW_MS, ttl_s, out), 0);
}

static void say_authenticate(const char *user_id, long long ttl_s, const char *more) {
    char *token = NULL;
    char text[8192];

    mint(user_id, "trader", ttl_s, &token);
    (void)snprintf(text, sizeof(text),
                   "{\"id\":\"a-1\",\"type\":\"authenticate\",\"data\":{\"token\":\"%s\"%s}}",
                   token, more);
    free(token);
    say(text);
}

static void become(const char *user_id) {
    say_authenticate(user_id, 3600, "");
    ck_assert(conn.authenticated);
    conn.automatic_rooms = conn.room_count;
    fake_conn_reset_replies(&conn);
}

static const cJSON *field(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* The data of the nth reply, which must be of this type with this ref (NULL: none). */
static const cJSON *reply(unsigned n, const char *type, const char *ref) {
    const cJSON *envelope;

    ck_assert_uint_lt(n, conn.reply_count);
    envelope = conn.replies[n];
    ck_assert_ptr_nonnull(envelope);
    ck_assert_ptr_null(strpbrk(conn.texts[n], "\n\t")); /* compact: every byte is sent many times */
    ck_assert_str_eq(cJSON_GetStringValue(field(envelope, "type")), type);
    ck_assert(cJSON_IsString(field(envelope, "id")));
    ck_assert(cJSON_GetNumberValue(field(envelope, "timestamp")) == (double)NOW_MS);
    ck_assert(cJSON_IsObject(field(envelope, "data")));
    if (ref == NULL) {
        ck_assert_ptr_null(field(envelope, "ref"));
    } else {
        ck_assert_str_eq(cJSON_GetStringValue(field(envelope, "ref")), ref);
    }
    return field(envelope, "data");
}

static void assert_text(const cJSON *object, const char *name, const char *expected) {
    const char *text = cJSON_GetStringValue(field(object, name));

    ck_assert_ptr_nonnull(text);
    ck_assert_str_eq(text, expected);
}

static void assert_error(unsigned n, const char *code, const char *ref) {
    const cJSON *data = reply(n, "error", ref);

    assert_text(data, "code", code);
    ck_assert(cJSON_IsString(field(data, "message")));
}

static void assert_list(const cJSON *list, const char *const *expected, int count) {
    ck_assert_int_eq(cJSON_GetArraySize(list), count);
    for (int i = 0; i < count; i++) {
        ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetArrayItem(list, i)), expected[i]);
    }
}

struct text_case {
    const char *text;
    const char *code; /* NULL: a pong */
    const char *ref;
};

static const struct text_case text_cases[] = {
    {"{\"type\":\"ping\"}", NULL, NULL},
    {"{\"id\":\"1\",\"type\":\"ping\"}", NULL, "1"},
    {" {\"type\" : \"p\\u0069ng\" , \"id\" : \"\\u0031\" } ", NULL, "1"},
    {"{\"id\":17,\"type\":\"ping\"}", NULL, "17"},
    {"{\"id\":9007199254740993,\"type\":\"ping\"}", NULL, "9007199254740993"},
    {"{\"id\":1.50e1,\"type\":\"ping\"}", NULL, "1.50e1"},
    {"{\"id\":null,\"type\":\"ping\",\"data\":null}", NULL, NULL},
    {"{\"id\":\"\",\"type\":\"ping\"}", NULL, ""},
    {"{\"id\":\"" I64 I64 "\",\"type\":\"ping\"}", NULL, I64 I64},
    {"{\"id\":\"\\\"\\u0007\\n<\",\"type\":\"ping\"}", NULL, "\"\a\n<"},
    {"{\"type\":\"ping\",\"timestamp\":\"whenever\",\"more\":[1],\"more\":2}", NULL, NULL},
    {"{\"type\":\"ping\",\"data\":{\"any\":[{}]}}", NULL, NULL},

    {"", "INVALID_JSON", NULL},
    {" ", "INVALID_JSON", NULL},
    {"{", "INVALID_JSON", NULL},
    {"{\"id\":\"1\",\"type\":\"ping\"}x", "INVALID_JSON", NULL},
    {"{\"id\":\"1\",\"type\":\"ping\",}", "INVALID_JSON", NULL},
    {"{'type':'ping'}", "INVALID_JSON", NULL},
    {"{\"type\":\"ping\",\"data\":{\"n\":01}}", "INVALID_JSON", NULL},
    {"\xef\xbb\xbf{\"type\":\"ping\"}", "INVALID_JSON", NULL},
    {"{\"type\":\"ping\\u0000\"}", "INVALID_JSON", NULL},
    {"{\"type\":\"ping\",\"data\":{\"x\":\"\\ud800\"}}", "INVALID_JSON", NULL},
    {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "INVALID_JSON", NULL},

    {"[]", "INVALID_MESSAGE", NULL},
    {"\"ping\"", "INVALID_MESSAGE", NULL},
    {"null", "INVALID_MESSAGE", NULL},
    {"17", "INVALID_MESSAGE", NULL},
    {"{}", "INVALID_MESSAGE", NULL},
    {"{\"id\":\"1\"}", "INVALID_MESSAGE", "1"},
    {"{\"id\":\"1\",\"type\":null}", "INVALID_MESSAGE", "1"},
    {"{\"id\":\"1\",\"type\":1}", "INVALID_MESSAGE", "1"},
    {"{\"id\":\"1\",\"Type\":\"ping\"}", "INVALID_MESSAGE", "1"},
    {"{\"id\":\"1\",\"type\":\"ping\",\"type\":\"ping\"}", "INVALID_MESSAGE", "1"},
    {"{\"id\":\"1\",\"type\":\"ping\",\"t\\u0079pe\":\"ping\"}", "INVALID_MESSAGE", "1"},
    {"{\"id\":\"1\",\"type\":\"ping\",\"data\":[]}", "INVALID_MESSAGE", "1"},
    {"{\"id\":\"1\",\"type\":\"ping\",\"data\":\"x\"}", "INVALID_MESSAGE", "1"},
    {"{\"id\":\"1\",\"type\":\"ping\",\"data\":{},\"data\":{}}", "INVALID_MESSAGE", "1"},
    {"{\"id\":\"1\",\"type\":\"ping\",\"id\":\"1\"}", "INVALID_MESSAGE", NULL},
    {"{\"id\":\"" I64 I64 "i\",\"type\":\"ping\"}", "INVALID_MESSAGE", NULL},
    {"{\"id\":{},\"type\":\"ping\"}", "INVALID_MESSAGE", NULL},
    {"{\"id\":true,\"type\":\"ping\"}", "INVALID_MESSAGE", NULL},

    {"{\"id\":\"1\",\"type\":\"subscribe\",\"data\":{\"channel\":\"prices\"}}", "NOT_AUTHENTICATED",
     "1"},
    {"{\"id\":\"1\",\"type\":\"unsubscribe\",\"data\":{\"channel\":\"prices\"}}",
     "NOT_AUTHENTICATED", "1"},
    {"{\"id\":\"1\",\"type\":\"get_rooms\"}", "NOT_AUTHENTICATED", "1"},
    {"{\"id\":\"1\",\"type\":\"nonsense\"}", "NOT_AUTHENTICATED", "1"},
    {"{\"id\":\"1\",\"type\":\"Ping\"}", "NOT_AUTHENTICATED", "1"},
    {"{\"id\":\"1\",\"type\":\"\"}", "NOT_AUTHENTICATED", "1"},
};

START_TEST(every_text_gets_one_answer_with_its_ref) {
    const struct text_case *row = &text_cases[_i];

    say(row->text);
    ck_assert_uint_eq(conn.reply_count, 1);
    if (row->code == NULL) {
        const cJSON *data = reply(0, "pong", row->ref);
        ck_assert(cJSON_GetNumberValue(field(data, "serverTime")) == (double)NOW_MS);
        ck_assert_uint_eq(stats_get(&stats, STAT_ERRORS_OUT), 0);
    } else {
        assert_error(0, row->code, row->ref);
        ck_assert_uint_eq(stats_get(&stats, STAT_ERRORS_OUT), 1);
    }
    ck_assert(!conn.closed);
    ck_assert_uint_eq(conn.room_count, 0);
}
END_TEST

START_TEST(a_type_that_does_not_exist_is_told_to_users_only) {
    become("alice");
    say("{\"id\":\"1\",\"type\":\"nonsense\"}");
    assert_error(0, "UNKNOWN_TYPE", "1");
    say("{\"id\":\"1\",\"type\":\"" I64 "ping\"}");
    assert_error(0, "UNKNOWN_TYPE", "1");
    say("{\"id\":\"1\",\"type\":\"subscribe\\\"\"}");
    assert_error(0, "UNKNOWN_TYPE", "1");
}
END_TEST

START_TEST(ids_of_the_server_are_unique) {
    char first[64];

    say("{\"type\":\"ping\"}");
    (void)snprintf(first, sizeof(first), "%s", cJSON_GetStringValue(field(conn.replies[0], "id")));
    say("{\"type\":\"ping\"}");
    ck_assert_str_ne(cJSON_GetStringValue(field(conn.replies[0], "id")), first);
}
END_TEST

START_TEST(the_first_message_says_how_long_and_who) {
    const cJSON *data;

    reply_auth_required(&worker, &conn);
    data = reply(0, "auth_required", NULL);
    ck_assert(cJSON_GetNumberValue(field(data, "timeout")) == 10000);
    assert_text(data, "connectionId", "c0000000000abcdef");
}
END_TEST

START_TEST(a_good_token_makes_a_user_with_seven_rooms) {
    static const char *const rooms[] = {
        "prices",          "trades",       "system_alerts",      "user:alice",
        "portfolio:alice", "orders:alice", "notifications:alice"};
    static const char *const roles[] = {"trader"};
    const cJSON *data, *user;

    say_authenticate("alice", 3600, "");
    ck_assert_uint_eq(conn.reply_count, 2);
    data = reply(0, "auth_success", "a-1");
    user = field(data, "user");
    assert_text(user, "id", "alice");
    assert_text(user, "email", "a@b.example");
    assert_list(field(user, "roles"), roles, 1);
    ck_assert(cJSON_GetNumberValue(field(data, "expiresAt")) == 1700003600000.0);
    assert_text(data, "connectionId", "c0000000000abcdef");
    assert_list(field(reply(1, "auto_subscribed", "a-1"), "rooms"), rooms, SEVEN);
    ck_assert_uint_eq(conn.room_count, SEVEN);
    for (int i = 0; i < SEVEN; i++) {
        ck_assert(conn_in_room(&worker, &conn, span_of(rooms[i])));
    }
    ck_assert_uint_eq(stats_get(&stats, STAT_AUTH_SUCCESSES), 1);
    ck_assert_uint_eq(stats_get(&stats, STAT_AUTH_FAILURES), 0);
}
END_TEST

/* Before it: what could ask for a resume, good or bad. After: what can't. */
START_TEST(any_message_but_a_resume_says_that_none_comes) {
    static const char *const others[] = {
        "{\"type\":\"subscribe\",\"data\":{\"channel\":\"prices\"}}",
        "{\"type\":\"ping\"}",
        "{\"type\":\"get_rooms\"}",
        "{\"type\":\"typing\"}",
        "{\"type\":\"no such\"}",
        "{\"type\":7}",
        "rubbish",
    };
    become("alice");
    say_authenticate("alice", 3600, "");
    say("{\"type\":\"resume\"}");
    say("{\"type\":\"resume\",\"data\":{\"position\":7}}");
    ck_assert_uint_eq(conn.moments_over, 0);
    for (unsigned i = 0; i < ARRAY_LENGTH(others); i++) {
        say(others[i]);
        ck_assert_uint_eq(conn.moments_over, i + 1);
    }
}
END_TEST

START_TEST(channels_of_authenticate_are_answered_one_by_one) {
    const cJSON *data;

    say_authenticate("alice", 3600,
                     ",\"channels\":[\"prices:1:x\",\"orders:bob\",\"no such\",\"notifications\"]");
    ck_assert_uint_eq(conn.reply_count, 6);
    (void)reply(0, "auth_success", "a-1");
    (void)reply(1, "auto_subscribed", "a-1");
    assert_text(reply(2, "subscribed", "a-1"), "channel", "prices:1:x");
    assert_error(3, "PERMISSION_DENIED", "a-1");
    assert_text(reply(3, "error", "a-1"), "channel", "orders:bob");
    assert_error(4, "UNKNOWN_CHANNEL", "a-1");
    data = reply(5, "subscribed", "a-1");
    assert_text(data, "channel", "notifications");
    assert_list(field(data, "rooms"), (const char *const[]){"notifications", "notifications:alice"},
                2);
}
END_TEST

START_TEST(channels_that_are_no_list_of_strings_do_not_undo_the_authentication) {
    static const char *const lists[] = {
        "\"prices\"", "17", "null", "{}", "[1]", "[\"prices:1\",null]", "[],\"channels\":[]"};

    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        char more[64];
        (void)snprintf(more, sizeof(more), ",\"channels\":%s", lists[i]);
        fake_conn_reset(&conn);
        say_authenticate("alice", 3600, more);
        ck_assert_uint_eq(conn.reply_count, 3);
        (void)reply(0, "auth_success", "a-1");
        (void)reply(1, "auto_subscribed", "a-1");
        assert_error(2, "INVALID_MESSAGE", "a-1");
        ck_assert(conn.authenticated);
        ck_assert_uint_eq(conn.room_count, SEVEN);
    }
    fake_conn_reset(&conn);
    say_authenticate("alice", 3600, ",\"channels\":[]");
    ck_assert_uint_eq(conn.reply_count, 2);
}
END_TEST

static const char *const bad_authentications[] = {
    "{\"id\":\"1\",\"type\":\"authenticate\"}",
    "{\"id\":\"1\",\"type\":\"authenticate\",\"data\":{}}",
    "{\"id\":\"1\",\"type\":\"authenticate\",\"data\":{\"token\":null}}",
    "{\"id\":\"1\",\"type\":\"authenticate\",\"data\":{\"token\":17}}",
    "{\"id\":\"1\",\"type\":\"authenticate\",\"data\":{\"token\":\"\"}}",
    "{\"id\":\"1\",\"type\":\"authenticate\",\"data\":{\"token\":\"x.y.z\"}}",
    "{\"id\":\"1\",\"type\":\"authenticate\",\"data\":{\"Token\":\"x\"}}",
    "{\"id\":\"1\",\"type\":\"authenticate\",\"data\":{\"token\":\"x\",\"token\":\"x\"}}",
};

START_TEST(a_message_without_a_good_token_fails) {
    const cJSON *data;

    say(bad_authentications[_i]);
    ck_assert_uint_eq(conn.reply_count, 1);
    data = reply(0, "auth_failed", "1");
    assert_text(data, "error", "Invalid token");
    assert_text(data, "code", "INVALID_TOKEN");
    ck_assert(!conn.authenticated);
    ck_assert_uint_eq(conn.failures, 1);
    ck_assert_uint_eq(stats_get(&stats, STAT_AUTH_FAILURES), 1);
    ck_assert_uint_eq(stats_get(&stats, STAT_AUTH_SUCCESSES), 0);
    ck_assert_uint_eq(stats_get(&stats, STAT_ERRORS_OUT), 0);
}
END_TEST

START_TEST(the_third_failure_closes) {
    for (int i = 0; i < 3; i++) {
        ck_assert(!conn.closed);
        say(bad_authentications[0]);
        (void)reply(0, "auth_failed", "1");
    }
    ck_assert(conn.closed);
    ck_assert_int_eq(conn.close_code, CLOSE_POLICY);
}
END_TEST

START_TEST(an_expired_token_says_so) {
    const cJSON *data;

    say_authenticate("alice", -31, "");
    ck_assert_uint_eq(conn.reply_count, 1);
    data = reply(0, "auth_failed", "a-1");
    assert_text(data, "error", "Token expired");
    assert_text(data, "code", "TOKEN_EXPIRED");
    ck_assert_uint_eq(conn.identity_calls, 0);
}
END_TEST

START_TEST(an_expiry_that_is_given_in_milliseconds_is_told_as_a_whole_number) {
    say_authenticate("alice", 1793600000000, "");
    ck_assert_ptr_nonnull(strstr(conn.texts[0], "\"expiresAt\":1795300000000000,"));
}
END_TEST

START_TEST(a_second_token_of_the_same_user_only_moves_the_expiry) {
    become("alice");
    say("{\"type\":\"unsubscribe\",\"data\":{\"channel\":\"prices\"}}");
    say_authenticate("alice", 7200, "");
    ck_assert_uint_eq(conn.reply_count, 1);
    ck_assert(cJSON_GetNumberValue(field(reply(0, "auth_success", "a-1"), "expiresAt")) ==
              1700007200000.0);
    ck_assert_int_eq(conn.identity.expires_ms, 1700007200000LL);
    ck_assert_uint_eq(conn.room_count, SEVEN - 1);
}
END_TEST

START_TEST(another_user_on_the_same_connection_is_refused_and_counted) {
    become("alice");
    say_authenticate("bob", 7200, ",\"channels\":[\"prices:1\"]");
    ck_assert_uint_eq(conn.reply_count, 1);
    assert_text(reply(0, "auth_failed", "a-1"), "code", "INVALID_TOKEN");
    ck_assert_uint_eq(conn.failures, 1);
    ck_assert_str_eq(conn.identity.user_id, "alice");
    ck_assert_uint_eq(conn.room_count, SEVEN);
    ck_assert(!conn.closed);
}
END_TEST

START_TEST(our_own_trouble_is_no_failure_of_the_client) {
    conn.identity_error = -ENOMEM;
    say_authenticate("alice", 3600, "");
    ck_assert_uint_eq(conn.reply_count, 1);
    assert_text(reply(0, "auth_failed", "a-1"), "code", "AUTH_UNAVAILABLE");
    ck_assert_uint_eq(conn.failures, 0);
    ck_assert_uint_eq(stats_get(&stats, STAT_AUTH_FAILURES), 0);
}
END_TEST

START_TEST(an_automatic_room_that_cannot_be_joined_closes_the_connection) {
    conn.join_fails_at = "orders:alice";
    conn.join_error = -ENOMEM;
    say_authenticate("alice", 3600, "");
    ck_assert(conn.closed);
    ck_assert_int_eq(conn.close_code, CLOSE_SERVER_ERROR);
}
END_TEST

START_TEST(automatic_rooms_follow_the_policy_except_where_it_knows_nothing) {
    static const char *const rooms[] = {"lobby", "role:trader", "x:alice:y:alice"};

    options.auto_join_rooms = " lobby , role:trader,role:admin,lobby,x:{userId}:y:{userId}";
    say_authenticate("alice", 3600, "");
    assert_list(field(reply(1, "auto_subscribed", "a-1"), "rooms"), rooms, 3);
    fake_conn_reset(&conn);
    options.auto_join_rooms = "";
    say_authenticate("alice", 3600, "");
    assert_list(field(reply(1, "auto_subscribed", "a-1"), "rooms"), NULL, 0);
}
END_TEST

struct auto_case {
    const char *rooms;
    const char *error; /* NULL: fine */
};

static const struct auto_case auto_cases[] = {
    {"", NULL},
    {"  ", NULL},
    {"prices", NULL},
    {" prices , orders:{userId} ", NULL},
    {"twelve-bytes:{userId}", NULL},
    {"fourteenbytes:{userId}", NULL},
    {"fifteen-bytes-:{userId}", "too long"},
    {I64 I64, NULL},
    {I64 I64 "i", "too long"},
    {"prices,,trades", "no room name"},
    {",prices", "no room name"},
    {"a b", "no room name"},
    {"user:{userid}", "no room name"},
    {"user:{userId", "no room name"},
    {"prices,user:bob", "user:bob"},
    {"orders:x{userId}", "personal"},
    {"{userId}:{userId}", "too long"},
};

START_TEST(the_list_of_automatic_rooms_is_checked_at_start) {
    const struct auto_case *row = &auto_cases[_i];
    char error[512] = "";
    int result = auto_join_check(row->rooms, error, sizeof(error));

    if (row->error == NULL) {
        ck_assert_msg(result == 0, "%s: %s", row->rooms, error);
    } else {
        ck_assert_msg(result == -EINVAL, "%s", row->rooms);
        ck_assert_msg(strstr(error, row->error) != NULL, "%s", error);
        ck_assert(strncmp(error, "AUTO_JOIN_ROOMS: ", 17) == 0);
    }
}
END_TEST

START_TEST(the_default_list_and_sixty_four_rooms_pass_the_check) {
    char list[65 * 2 + 1] = "";
    char error[512];

    ck_assert_int_eq(auto_join_check(options.auto_join_rooms, error, sizeof(error)), 0);
    for (int i = 0; i < AUTO_JOIN_MAX_ROOMS; i++) {
        strcat(list, i == 0 ? "r" : ",r");
    }
    ck_assert_int_eq(auto_join_check(list, error, sizeof(error)), 0);
    strcat(list, ",r");
    ck_assert_int_eq(auto_join_check(list, error, sizeof(error)), -EINVAL);
}
END_TEST

struct subscribe_case {
    const char *data;
    const char *code; /* NULL: subscribed to `channel` with `rooms` rooms */
    const char *channel;
    unsigned rooms;
};

static const struct subscribe_case subscribe_cases[] = {
    {"{\"channel\":\"prices\"}", NULL, "prices", 1},
    {"{\"channel\":\"prices:1:0xabc\"}", NULL, "prices:1:0xabc", 1},
    {"{\"channels\":[\"user_actions\"]}", NULL, "user_actions", 1},
    {"{\"channel\":\"orders\"}", NULL, "orders", 1},
    {"{\"channel\":\"notifications\"}", NULL, "notifications", 2},
    {"{\"channel\":\"chat:1\",\"more\":1}", NULL, "chat:1", 1},
    {"{\"channel\":\"role:trader\"}", NULL, "role:trader", 1},
    {"{\"channel\":\"role:admin\"}", "PERMISSION_DENIED", "role:admin", 0},
    {"{\"channel\":\"orders:bob\"}", "PERMISSION_DENIED", "orders:bob", 0},
    {"{\"channel\":\"order:1\"}", "PERMISSION_DENIED", "order:1", 0},
    {"{\"channel\":\"lobby\"}", "UNKNOWN_CHANNEL", "lobby", 0},
    {"{\"channel\":\"\"}", "UNKNOWN_CHANNEL", "", 0},
    {"{\"channel\":\"a\\\"b\"}", "UNKNOWN_CHANNEL", "a\"b", 0},
    {"{\"channel\":\"" I64 I64 "i\"}", "UNKNOWN_CHANNEL", NULL, 0},
    {"{}", "INVALID_MESSAGE", NULL, 0},
    {"{\"channel\":17}", "INVALID_MESSAGE", NULL, 0},
    {"{\"channel\":[\"prices\"]}", "INVALID_MESSAGE", NULL, 0},
    {"{\"channels\":[]}", "INVALID_MESSAGE", NULL, 0},
    {"{\"channels\":{\"a\":\"prices\"}}", "INVALID_MESSAGE", NULL, 0},
    {"{\"channels\":\"prices\"}", "INVALID_MESSAGE", NULL, 0},
    {"{\"channels\":[\"prices:1\",[]]}", "INVALID_MESSAGE", NULL, 0},
    {"{\"channel\":\"prices:1\",\"channels\":[\"prices:2\"]}", "INVALID_MESSAGE", NULL, 0},
    {"{\"channel\":\"prices:1\",\"channel\":\"prices:1\"}", "INVALID_MESSAGE", NULL, 0},
};

START_TEST(subscribe_joins_what_the_policy_allows) {
    const struct subscribe_case *row = &subscribe_cases[_i];
    const cJSON *data, *room;
    unsigned before;
    char text[512];

    become("alice");
    before = conn.room_count;
    (void)snprintf(text, sizeof(text), "{\"id\":\"s\",\"type\":\"subscribe\",\"data\":%s}",
                   row->data);
    say(text);
    ck_assert_uint_eq(conn.reply_count, 1);
    if (row->code != NULL) {
        assert_error(0, row->code, "s");
        data = reply(0, "error", "s");
        if (row->channel != NULL) {
            assert_text(data, "channel", row->channel);
        } else {
            ck_assert_ptr_null(field(data, "channel"));
        }
        ck_assert_uint_eq(conn.room_count, before);
        return;
    }
    data = reply(0, "subscribed", "s");
    assert_text(data, "channel", row->channel);
    ck_assert_int_eq(cJSON_GetArraySize(field(data, "rooms")), (int)row->rooms);
    cJSON_ArrayForEach(room, field(data, "rooms")) {
        ck_assert(conn_in_room(&worker, &conn, span_of(cJSON_GetStringValue(room))));
    }
}
END_TEST

START_TEST(subscribing_twice_is_no_error) {
    become("alice");
    for (int i = 0; i < 2; i++) {
        say("{\"id\":\"s\",\"type\":\"subscribe\",\"data\":{\"channel\":\"prices:1\"}}");
        ck_assert_uint_eq(conn.reply_count, 1);
        (void)reply(0, "subscribed", "s");
        ck_assert_uint_eq(conn.room_count, SEVEN + 1);
        ck_assert_uint_eq(conn.snapshot_count, SEVEN + 1); /* once a room */
    }
}
END_TEST

START_TEST(a_connection_has_only_so_many_subscriptions) {
    options.ws_max_subscriptions = 2;
    become("alice");
    say("{\"type\":\"subscribe\",\"data\":{\"channels\":[\"prices:1\",\"prices:2\",\"prices:3\","
        "\"prices:1\",\"prices\",\"orders\",\"notifications\"]}}");
    ck_assert_uint_eq(conn.reply_count, 7);
    (void)reply(0, "subscribed", NULL);
    (void)reply(1, "subscribed", NULL);
    assert_error(2, "TOO_MANY_SUBSCRIPTIONS", NULL);
    (void)reply(3, "subscribed", NULL); /* joined already */
    (void)reply(4, "subscribed", NULL); /* automatic */
    (void)reply(5, "subscribed", NULL); /* personal */
    assert_error(6, "TOO_MANY_SUBSCRIPTIONS", NULL);
    say("{\"type\":\"unsubscribe\",\"data\":{\"channel\":\"prices:2\"}}");
    say("{\"type\":\"subscribe\",\"data\":{\"channel\":\"prices:3\"}}");
    (void)reply(0, "subscribed", NULL);
}
END_TEST

/* A hundred, or as many as a connection may have. */
START_TEST(so_many_channels_fit_into_a_message_and_one_more_does_not) {
    static const struct {
        int subscriptions, most;
        const char *refusal;
    } cases[] = {{100, 100, "At most 100 channels a message"},
                 {120, 120, "At most 120 channels a message"},
                 {20, 100, "At most 100 channels a message"}};
    const option_int usual = options.ws_max_subscriptions;
    char text[4096];

    options.ws_max_subscriptions = cases[_i].subscriptions;
    for (int count = cases[_i].most; count <= cases[_i].most + 1; count++) {
        become("alice");
        size_t used = (size_t)snprintf(
            text, sizeof(text), "{\"type\":\"subscribe\",\"data\":{\"channels\":[\"chat:0\"");
        for (int i = 1; i < count; i++) {
            used += (size_t)snprintf(text + used, sizeof(text) - used, ",\"chat:%d\"", i);
        }
        (void)snprintf(text + used, sizeof(text) - used, "]}}");
        say(text);
        if (count == cases[_i].most) {
            ck_assert_uint_eq(conn.reply_count, (unsigned)count);
        } else {
            ck_assert_uint_eq(conn.reply_count, 1);
            assert_error(0, "INVALID_MESSAGE", NULL);
            assert_text(reply(0, "error", NULL), "message", cases[_i].refusal);
        }
        fake_conn_reset(&conn);
    }
    options.ws_max_subscriptions = usual;
}
END_TEST

START_TEST(of_two_rooms_both_are_joined_or_none) {
    become("alice");
    say("{\"type\":\"unsubscribe\",\"data\":{\"channel\":\"notifications\"}}");
    conn.join_fails_at = "notifications:alice";
    conn.join_error = -ENOMEM;
    say("{\"id\":\"s\",\"type\":\"subscribe\",\"data\":{\"channel\":\"notifications\"}}");
    ck_assert_uint_eq(conn.reply_count, 1);
    assert_error(0, "MESSAGE_PROCESSING_ERROR", "s");
    ck_assert(!conn_in_room(&worker, &conn, SPAN_LITERAL("notifications")));
    conn.join_error = -EPERM;
    say("{\"id\":\"s\",\"type\":\"subscribe\",\"data\":{\"channel\":\"notifications\"}}");
    assert_error(0, "PERMISSION_DENIED", "s");
}
END_TEST

START_TEST(a_failed_join_leaves_what_was_joined_before) {
    become("alice");
    say("{\"type\":\"subscribe\",\"data\":{\"channel\":\"notifications\"}}");
    say("{\"type\":\"unsubscribe\",\"data\":{\"channel\":\"notifications:alice\"}}");
    conn.join_fails_at = "notifications:alice";
    conn.join_error = -ENOMEM;
    say("{\"type\":\"subscribe\",\"data\":{\"channel\":\"notifications\"}}");
    assert_error(0, "MESSAGE_PROCESSING_ERROR", NULL);
    ck_assert(conn_in_room(&worker, &conn, SPAN_LITERAL("notifications")));
}
END_TEST

START_TEST(unsubscribe_leaves_and_never_minds_what_was_not_joined) {
    become("alice");
    say("{\"id\":\"u\",\"type\":\"unsubscribe\",\"data\":{\"channels\":[\"prices\",\"prices\","
        "\"lobby\","
        "\"orders:bob\",\"notifications\",\"a b\"]}}");
    ck_assert_uint_eq(conn.reply_count, 6);
    assert_text(reply(0, "unsubscribed", "u"), "channel", "prices");
    assert_text(reply(1, "unsubscribed", "u"), "channel", "prices");
    assert_text(reply(2, "unsubscribed", "u"), "channel", "lobby");
    assert_text(reply(3, "unsubscribed", "u"), "channel", "orders:bob");
    assert_text(reply(4, "unsubscribed", "u"), "channel", "notifications");
    assert_error(5, "UNKNOWN_CHANNEL", "u");
    ck_assert(!conn_in_room(&worker, &conn, SPAN_LITERAL("prices")));
    ck_assert(!conn_in_room(&worker, &conn, SPAN_LITERAL("notifications:alice")));
    ck_assert_uint_eq(conn.room_count, SEVEN - 2);
    say("{\"id\":\"u\",\"type\":\"unsubscribe\"}");
    assert_error(0, "INVALID_MESSAGE", "u");
}
END_TEST

START_TEST(get_rooms_lists_them_all) {
    static const char *const rooms[] = {"trades",          "system_alerts", "user:alice",
                                        "portfolio:alice", "orders:alice",  "notifications:alice",
                                        "chat:1"};

    become("alice");
    say("{\"type\":\"unsubscribe\",\"data\":{\"channel\":\"prices\"}}");
    say("{\"type\":\"subscribe\",\"data\":{\"channel\":\"chat:1\"}}");
    say("{\"id\":\"g\",\"type\":\"get_rooms\"}");
    assert_list(field(reply(0, "rooms", "g"), "rooms"), rooms, SEVEN);
}
END_TEST

#define ASK(users) "{\"id\":\"p\",\"type\":\"presence\",\"data\":{\"users\":" users "}}"

START_TEST(presence_tells_of_each_user_once_at_once_or_later) {
    const cJSON *online;

    become("alice");
    for (fake_presence.result = 0; fake_presence.result <= 1; fake_presence.result++) {
        say(ASK("[\"on1\",\"off\",\"on1\",\"On1\"]"));
        if (fake_presence.result == 0) {
            ck_assert_uint_eq(conn.reply_count, 0);
            fake_presence_answer(true);
        }
        online = field(reply(0, "presence", "p"), "online");
        ck_assert_int_eq(cJSON_GetArraySize(online), 3);
        ck_assert(cJSON_IsTrue(field(online, "on1")));
        ck_assert(cJSON_IsFalse(field(online, "off")));
        ck_assert(cJSON_IsFalse(field(online, "On1")));
    }
}
END_TEST

START_TEST(presence_that_nobody_knows_is_said_to_be_unavailable) {
    become("alice");
    say(ASK("[\"on1\"]"));
    fake_presence_answer(false);
    assert_error(0, "SERVICE_UNAVAILABLE", "p");
    say(ASK("[\"on1\"]"));
    fake_conn_there = NULL;
    fake_presence_answer(true);
    ck_assert_uint_eq(conn.reply_count, 0); /* it has gone */
    fake_presence.result = -EAGAIN;
    say(ASK("[\"on1\"]"));
    assert_error(0, "SERVICE_UNAVAILABLE", "p");
    fake_presence.result = -ENOMEM;
    say(ASK("[\"on1\"]"));
    assert_error(0, "MESSAGE_PROCESSING_ERROR", "p");
}
END_TEST

#define ASK_ROOM(room) "{\"id\":\"p\",\"type\":\"presence\",\"data\":{\"room\":" room "}}"

START_TEST(presence_of_a_room_tells_its_users_to_who_may_join_it_or_is_in_it) {
    static struct room_members members;
    const cJSON *answer;

    become("alice");
    room_members_init(&members);
    room_members_part(&members, 2, 2);
    room_members_add(&members, span_of("bob"));
    room_members_add(&members, span_of("alice"));
    fake_presence.result = 0;
    say(ASK_ROOM("\"chat:1\""));
    ck_assert_uint_eq(conn.reply_count, 0);
    fake_presence.room_answer(fake_presence.context, &members);
    answer = reply(0, "presence", "p");
    ck_assert_str_eq(field(answer, "room")->valuestring, "chat:1");
    ck_assert_int_eq(field(answer, "count")->valueint, 2);
    ck_assert(cJSON_IsTrue(field(answer, "exact")));
    assert_list(field(answer, "users"), (const char *const[]){"alice", "bob"}, 2);
    say(ASK_ROOM("\"chat:1\""));
    fake_presence.room_answer(fake_presence.context, NULL);
    assert_error(0, "SERVICE_UNAVAILABLE", "p");
    fake_presence.result = -EAGAIN;
    say(ASK_ROOM("\"orders:alice\""));
    assert_error(0, "SERVICE_UNAVAILABLE", "p");
    say(ASK_ROOM("\"orders:bob\""));
    assert_error(0, "PERMISSION_DENIED", "p");
    say(ASK_ROOM("\"no such\""));
    assert_error(0, "UNKNOWN_CHANNEL", "p");
    say(ASK_ROOM("5"));
    assert_error(0, "INVALID_MESSAGE", "p");
    say(ASK_ROOM("\"chat:1\",\"users\":[\"on1\"]"));
    assert_error(0, "INVALID_MESSAGE", "p");
}
END_TEST

START_TEST(presence_of_no_users_of_rubbish_or_of_too_many_is_invalid) {
    static const char *const wrong[] = {ASK("[]"),
                                        ASK("{}"),
                                        ASK("\"on1\""),
                                        ASK("null"),
                                        ASK("[1]"),
                                        ASK("[\"a b\"]"),
                                        ASK("[\"\"]"),
                                        ASK("[[]]"),
                                        ASK("[\"a\"],\"users\":[\"b\"]"),
                                        ASK("[\"" I64 I64 "\"]")};
    char many[1024] = "{\"id\":\"p\",\"type\":\"presence\",\"data\":{\"users\":[\"u\"";

    become("alice");
    for (unsigned i = 0; i < ARRAY_LENGTH(wrong); i++) {
        say(wrong[i]);
        assert_error(0, "INVALID_MESSAGE", "p");
    }
    fake_presence.result = 1;
    for (unsigned i = 1; i < PRESENCE_USERS_MAX; i++) {
        strcat(many, ",\"u\"");
    }
    size_t length = strlen(many);
    strcat(many, "]}}");
    say(many);
    (void)reply(0, "presence", "p");
    strcpy(many + length, ",\"u\"]}}");
    say(many);
    assert_error(0, "INVALID_MESSAGE", "p");
}
END_TEST

START_TEST(a_reply_longer_than_the_buffer_makes_it_grow) {
    char room[ROOM_NAME_MAX_BYTES + 1];

    become("alice");
    while (conn.room_count < FAKE_ROOMS) {
        (void)snprintf(room, sizeof(room), "chat:%0123u", conn.room_count);
        ck_assert_int_eq(conn_join(&worker, &conn, span_of(room)), 1);
    }
    say("{\"type\":\"get_rooms\"}"); /* 32 KiB */
    ck_assert_int_eq(cJSON_GetArraySize(field(reply(0, "rooms", NULL), "rooms")), FAKE_ROOMS);
}
END_TEST

/* How many more allocations of cJSON succeed. */
static unsigned allocations_left;

static void *allocate(size_t size) {
    if (allocations_left == 0) {
        return NULL;
    }
    allocations_left--;
    return malloc(size);
}

START_TEST(without_memory_an_answer_is_whole_or_the_connection_closes) {
    static const char *const texts[] = {
        "{\"id\":\"1\",\"type\":\"get_rooms\"}",
        "{\"id\":\"1\",\"type\":\"ping\"}",
        "{\"id\":\"1\",\"type\":\"nonsense\"}",
        "{\"id\":\"1\",\"type\":\"subscribe\",\"data\":{\"channel\":\"notifications\"}}",
        "{\"id\":\"1\",\"type\":\"subscribe\",\"data\":{\"channel\":\"lobby\"}}",
        "{\"id\":\"1\",\"type\":\"unsubscribe\",\"data\":{\"channel\":\"notifications\"}}",
        "{\"id\":\"1\",\"type\":\"authenticate\"}",
        NULL, /* authenticate with a good token */
    };
    cJSON_Hooks failing = {allocate, free};
    char good[1024], *token = NULL;

    mint("alice", "trader", 3600, &token);
    (void)snprintf(good, sizeof(good),
                   "{\"id\":\"1\",\"type\":\"authenticate\",\"data\":{\"token\":\"%s\"}}", token);
    free(token);
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        const char *text = texts[i] == NULL ? good : texts[i];
        unsigned limit = 0;
        bool closed;
        do {
            ck_assert_uint_lt(limit, 200);
            fake_conn_reset(&conn);
            conn.keep_texts = true;
            if (texts[i] != NULL) {
                strcpy(conn.identity.user_id, "alice");
                conn.authenticated = true;
            }
            allocations_left = limit++;
            cJSON_InitHooks(&failing);
            message_receive(&worker, &conn, span_of(text));
            cJSON_InitHooks(NULL);
            closed = conn.closed;
            fake_conn_parse(&conn);
            for (unsigned n = 0; n < conn.reply_count; n++) {
                ck_assert_ptr_nonnull(conn.replies[n]);
                ck_assert_str_eq(cJSON_GetStringValue(field(conn.replies[n], "ref")), "1");
                ck_assert(cJSON_IsObject(field(conn.replies[n], "data")));
                ck_assert_int_gt(cJSON_GetArraySize(field(conn.replies[n], "data")), 0);
            }
            ck_assert_msg(closed || conn.reply_count > 0, "no answer at all");
        } while (allocations_left == 0);
        ck_assert(!closed);
    }
}
END_TEST

static void add_tests(TCase *tests) {
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, every_text_gets_one_answer_with_its_ref, 0,
                        (int)ARRAY_LENGTH(text_cases));
    tcase_add_test(tests, a_type_that_does_not_exist_is_told_to_users_only);
    tcase_add_test(tests, ids_of_the_server_are_unique);
    tcase_add_test(tests, the_first_message_says_how_long_and_who);
    tcase_add_test(tests, a_good_token_makes_a_user_with_seven_rooms);
    tcase_add_test(tests, any_message_but_a_resume_says_that_none_comes);
    tcase_add_test(tests, channels_of_authenticate_are_answered_one_by_one);
    tcase_add_test(tests, channels_that_are_no_list_of_strings_do_not_undo_the_authentication);
    tcase_add_loop_test(tests, a_message_without_a_good_token_fails, 0,
                        (int)ARRAY_LENGTH(bad_authentications));
    tcase_add_test(tests, the_third_failure_closes);
    tcase_add_test(tests, an_expired_token_says_so);
    tcase_add_test(tests, an_expiry_that_is_given_in_milliseconds_is_told_as_a_whole_number);
    tcase_add_test(tests, a_second_token_of_the_same_user_only_moves_the_expiry);
    tcase_add_test(tests, another_user_on_the_same_connection_is_refused_and_counted);
    tcase_add_test(tests, our_own_trouble_is_no_failure_of_the_client);
    tcase_add_test(tests, an_automatic_room_that_cannot_be_joined_closes_the_connection);
    tcase_add_test(tests, automatic_rooms_follow_the_policy_except_where_it_knows_nothing);
    tcase_add_loop_test(tests, the_list_of_automatic_rooms_is_checked_at_start, 0,
                        (int)ARRAY_LENGTH(auto_cases));
    tcase_add_test(tests, the_default_list_and_sixty_four_rooms_pass_the_check);
    tcase_add_loop_test(tests, subscribe_joins_what_the_policy_allows, 0,
                        (int)ARRAY_LENGTH(subscribe_cases));
    tcase_add_test(tests, subscribing_twice_is_no_error);
    tcase_add_test(tests, a_connection_has_only_so_many_subscriptions);
    tcase_add_loop_test(tests, so_many_channels_fit_into_a_message_and_one_more_does_not, 0, 3);
    tcase_add_test(tests, of_two_rooms_both_are_joined_or_none);
    tcase_add_test(tests, a_failed_join_leaves_what_was_joined_before);
    tcase_add_test(tests, unsubscribe_leaves_and_never_minds_what_was_not_joined);
    tcase_add_test(tests, get_rooms_lists_them_all);
    tcase_add_test(tests, presence_tells_of_each_user_once_at_once_or_later);
    tcase_add_test(tests, presence_that_nobody_knows_is_said_to_be_unavailable);
    tcase_add_test(tests, presence_of_a_room_tells_its_users_to_who_may_join_it_or_is_in_it);
    tcase_add_test(tests, presence_of_no_users_of_rubbish_or_of_too_many_is_invalid);
    tcase_add_test(tests, a_reply_longer_than_the_buffer_makes_it_grow);
    tcase_add_test(tests, without_memory_an_answer_is_whole_or_the_connection_closes);
}

int main(void) {
    Suite *suite = suite_create("message");
    TCase *tests = tcase_create("answers");

    add_tests(tests);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
