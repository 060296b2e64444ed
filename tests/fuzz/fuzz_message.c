/* libFuzzer: what a client says. The first byte chooses whether it has authenticated; the rest is its
 * messages, one a line, in which `$T` stands for a good token. Every message must be answered with whole JSON,
 * and no message may lead into a room that the policy denies.
 * clang -fsanitize=fuzzer,address,undefined */
#include "common/json.h"
#include "common/log.h"
#include "gateway/access/policy.h"
#include "tests/fake/fake_conn.h"
#include "tests/fake/fake_presence.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define MAX_INPUT          16384
#define MAX_ANSWERS        102 /* auth_success, auto_subscribed and 100 channels */

static struct options options = {
    .jwt_secret = "0123456789abcdef0123456789abcdef",
    .jwt_secret_file = "",
    .jwt_algorithms = "HS256",
    .jwt_issuer = "",
    .jwt_audience = "",
    .jwt_leeway_seconds = 30,
    .auto_join_rooms =
        "prices,trades,system_alerts,user:{userId},portfolio:{userId},orders:{userId},"
        "notifications:{userId}",
    .ws_max_subscriptions = 20,
    .dev_directory = "",
};
static struct identity alice = {.user_id = "alice", .role_count = 1, .roles = {"trader"}};
static struct stats stats;
static struct worker worker = {.options = &options, .stats = &stats};
static char *good_token;

static void init(void) {
    char error[256];
    int fd;
    log_init("fuzz", LOG_LEVEL_ERROR, LOG_FORMAT_JSON);
    REQUIRE(segment_create(SEGMENT_RING_MIN_BYTES, 0, &fd) == 0);
    REQUIRE(segment_map(fd, true, &worker.view.segment) == 0);
    REQUIRE(auth_new(&options, false, &worker.auth, error, sizeof(error)) == 0);
    REQUIRE(auth_mint(worker.auth, &alice, 0, 4000000000LL, &good_token) == 0);
}

static bool is_placeholder(struct span line, size_t at) {
    return line.data[at] == '$' && at + 1 < line.length && line.data[at + 1] == 'T';
}

/* The line with the first `$T` replaced; malloc'd. */
static char *with_token(struct span line, size_t *length) {
    char *text = malloc(line.length + strlen(good_token) + 1);
    size_t used = 0;
    bool replaced = false;
    REQUIRE(text != NULL);
    for (size_t i = 0; i < line.length; i++) {
        if (!replaced && is_placeholder(line, i)) {
            memcpy(text + used, good_token, strlen(good_token));
            used += strlen(good_token);
            replaced = true;
            i++;
        } else {
            text[used++] = line.data[i];
        }
    }
    *length = used;
    return text;
}

static void check_rooms(const struct conn *conn) {
    const struct span roles[] = {SPAN_LITERAL("trader")};
    struct policy_subject subject = {
        .user_id = SPAN_LITERAL("alice"), .role_count = 1, .roles = roles};
    REQUIRE(conn->authenticated || conn->room_count == 0);
    for (unsigned i = 0; i < conn->room_count; i++) {
        REQUIRE(policy_judge(NULL, POLICY_JOIN, span_of(conn->rooms[i]), &subject) == POLICY_ALLOW);
    }
}

static void say(struct conn *conn, struct span line) {
    size_t length;
    char *text = with_token(line, &length);
    bool closed = conn->closed;
    fake_conn_reset_replies(conn);
    message_receive(&worker, conn, (struct span){text, length});
    REQUIRE(closed || (conn->reply_count >= 1 && conn->reply_count <= MAX_ANSWERS));
    for (unsigned i = 0; i < conn->reply_count; i++) {
        REQUIRE(json_check(span_of(conn->texts[i]), NULL, NULL) == JSON_OK);
        REQUIRE(strchr(conn->texts[i], '\n') == NULL);
    }
    check_rooms(conn);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct conn conn;
    struct span rest = {(const char *)data + 1, size - 1};
    if (good_token == NULL) {
        init();
    }
    if (size < 1 || size > MAX_INPUT) {
        return 0;
    }
    if (data[0] & 1) {
        conn.authenticated = true;
        conn.identity = alice;
    }
    while (rest.length > 0) {
        const char *newline = memchr(rest.data, '\n', rest.length);
        size_t length = newline == NULL ? rest.length : (size_t)(newline - rest.data);
        size_t step = newline == NULL ? length : length + 1;
        say(&conn, (struct span){rest.data, length});
        rest = (struct span){rest.data + step, rest.length - step};
    }
    fake_conn_reset(&conn);
    return 0;
}
