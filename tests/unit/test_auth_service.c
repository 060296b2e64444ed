/* What the auth service's answers mean, and which settings for it are refused. */
#include "gateway/access/auth.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define GOOD    0
#define GARBAGE (-1)

static const struct {
    const char *body;
    int expected; /* GOOD, GARBAGE, or the error code */
} answers[] = {
    {"{\"user\":{\"id\":\"ann\",\"email\":\"a@b.example\",\"roles\":[\"x\"],\"isActive\":true}}",
     GOOD},
    {"{\"user\":{\"id\":\"ann\"}}", GOOD},
    {"{\"more\":[1],\"user\":{\"id\":\"ann\",\"name\":\"A\",\"email\":null,\"roles\":null}}", GOOD},
    {"{\"user\":{\"id\":\"ann\",\"isActive\":false}}", ERROR_USER_INACTIVE},
    {"{\"user\":{\"id\":\"ann\",\"isActive\":0}}", ERROR_INVALID_TOKEN},
    {"{\"user\":{\"id\":\"ann\",\"isActive\":\"true\"}}", ERROR_INVALID_TOKEN},
    {"{\"user\":{\"id\":\"a b\"}}", ERROR_INVALID_USER_ID},
    {"{\"user\":{\"id\":\"\"}}", ERROR_INVALID_USER_ID},
    {"{\"user\":{}}", ERROR_INVALID_TOKEN},
    {"{\"user\":{\"id\":\"ann\",\"roles\":[1]}}", ERROR_INVALID_TOKEN},
    {"{\"user\":{\"id\":\"ann\",\"id\":\"bob\"}}", GARBAGE},
    {"{\"user\":{\"id\":\"ann\",\"isActive\":false,\"isActive\":true}}", GARBAGE},
    {"{\"user\":{\"id\":\"ann\",\"isActive\":false,\"is\\u0041ctive\":true}}", GARBAGE},
    {"{\"user\":{\"id\":\"ann\",\"roles\":[],\"roles\":[\"admin\"]}}", GARBAGE},
    {"{\"user\":{\"id\":\"ann\"},\"user\":{\"id\":\"bob\"}}", GARBAGE},
    {"{\"user\":null}", GARBAGE},
    {"{\"user\":[]}", GARBAGE},
    {"{\"user\":\"ann\"}", GARBAGE},
    {"{\"id\":\"ann\"}", GARBAGE},
    {"{}", GARBAGE},
    {"[]", GARBAGE},
    {"", GARBAGE},
    {"<html>", GARBAGE},
    {"{\"user\":{\"id\":\"ann\"}", GARBAGE},
    {"{\"user\":{\"id\":\"ann\"}}x", GARBAGE},
    {"{\"user\":{\"id\":\"an\\u0000n\"}}", GARBAGE},
    {"{\"user\":{\"id\":\"\xff\"}}", GARBAGE},
};

START_TEST(an_answer_is_read_strictly) {
    struct identity identity, untouched;
    enum error_code code = ERROR_CODE_COUNT;
    memset(&identity, 0x5a, sizeof(identity));
    memset(&untouched, 0x5a, sizeof(untouched));
    int result = auth_service_read(span_of(answers[_i].body), 12345, NULL, &identity, &code);
    if (answers[_i].expected == GOOD) {
        ck_assert_int_eq(result, 0);
        ck_assert_str_eq(identity.user_id, "ann");
        ck_assert_int_eq(identity.expires_ms, 12345);
        return;
    }
    ck_assert_mem_eq(&identity, &untouched, sizeof(identity));
    if (answers[_i].expected == GARBAGE) {
        ck_assert_int_eq(result, -EPROTO);
    } else {
        ck_assert_int_eq(result, -EACCES);
        ck_assert_int_eq((int)code, answers[_i].expected);
    }
}
END_TEST

static const struct {
    const char *url, *path, *error; /* error NULL: accepted */
} settings[] = {
    {"http://auth.internal", "/verify", NULL},
    {"http://127.0.0.1:8080/base", "/verify", NULL},
    {"http://[::1]:8080", "/verify", NULL},
    {"https://auth.internal", "/verify", NULL},
    {"https://[::1]:8443/base", "/verify", NULL},
    {"ftp://auth.internal", "/verify", "AUTH_SERVICE_URL: \"ftp://auth.internal\" is not http://"},
    {"auth.internal", "/verify", "AUTH_SERVICE_URL: \"auth.internal\" is not http://"},
    {"http://", "/verify", "AUTH_SERVICE_URL"},
    {"http://a:99999", "/verify", "AUTH_SERVICE_URL"},
    {"http://user:pw@a", "/verify", "AUTH_SERVICE_URL: \"...@a\" has more than a host"},
    {"user:pw@a", "/verify", "AUTH_SERVICE_URL: \"...@a\" is not http://"},
    {"http://a?key=1", "/verify", "AUTH_SERVICE_URL: \"http://a...\" has more than a host"},
    {"http://a#b", "/verify", "more than a host"},
    {"http://a", "verify", "AUTH_SERVICE_VERIFY_ENDPOINT: \"verify\""},
    {"http://a", "/verify it", "AUTH_SERVICE_VERIFY_ENDPOINT: \"/verify it\" is not a path"},
};

START_TEST(a_wrong_setting_is_told_in_one_line) {
    const struct options options = {.jwt_issuer = "",
                                    .jwt_audience = "",
                                    .auth_service_url = settings[_i].url,
                                    .auth_service_verify_endpoint = settings[_i].path,
                                    .auth_service_room_endpoint = "/room",
                                    .auth_service_timeout = 1000};
    struct auth *auth = NULL;
    char error[512] = "";
    int result = auth_new(&options, false, &auth, error, sizeof(error));
    if (settings[_i].error == NULL) {
        ck_assert_msg(result == 0, "%s", error);
    } else {
        ck_assert_int_lt(result, 0);
        ck_assert_msg(strstr(error, settings[_i].error) != NULL, "%s", error);
        ck_assert_ptr_null(strchr(error, '\n'));
    }
    auth_free(auth);
}
END_TEST

START_TEST(with_the_service_alone_every_token_is_a_question_but_those_that_cannot_be_one) {
    const struct options options = {.jwt_issuer = "",
                                    .jwt_audience = "",
                                    .auth_service_url = "http://a",
                                    .auth_service_verify_endpoint = "/verify",
                                    .auth_service_room_endpoint = "/room"};
    static char text[8193];
    struct auth *auth = NULL;
    struct identity identity;
    enum error_code code;
    char error[512];
    memset(text, 'x', sizeof(text));
    ck_assert_int_eq(auth_new(&options, false, &auth, error, sizeof(error)), 0);
    ck_assert_int_eq(auth_verify(auth, (struct span){text, 8192}, 0, &identity, &code),
                     -EINPROGRESS);
    ck_assert_int_eq(code, ERROR_AUTH_UNAVAILABLE);
    ck_assert_int_eq(auth_verify(auth, (struct span){text, 8193}, 0, &identity, &code), -EACCES);
    ck_assert_int_eq(auth_verify(auth, (struct span){text, 0}, 0, &identity, &code), -EACCES);
    ck_assert_int_eq(code, ERROR_INVALID_TOKEN);
    ck_assert_int_eq(auth_ask(auth, (struct span){text, 8}, NULL, NULL), -EAGAIN); /* not started */
    auth_free(auth);
}
END_TEST

static const struct {
    const char *body;
    int expected;
    bool allowed;
    unsigned ttl_s;
} room_answers[] = {
    {"{\"allowed\":true}", 0, true, AUTH_ROOMS_TTL_S},
    {"{\"allowed\":false}", 0, false, AUTH_ROOMS_TTL_S},
    {"{\"allowed\":true,\"ttl\":7}", 0, true, 7},
    {"{\"allowed\":true,\"ttl\":7.9}", 0, true, 7},
    {"{\"ttl\":7,\"allowed\":false,\"more\":1}", 0, false, 7},
    {"{\"allowed\":true,\"ttl\":null}", 0, true, AUTH_ROOMS_TTL_S},
    {"{\"allowed\":true,\"ttl\":0}", 0, true, AUTH_ROOMS_TTL_LEAST_S},
    {"{\"allowed\":true,\"ttl\":-5}", 0, true, AUTH_ROOMS_TTL_LEAST_S},
    {"{\"allowed\":true,\"ttl\":1e999}", 0, true, AUTH_ROOMS_TTL_MOST_S},
    {"{\"allowed\":true,\"ttl\":\"7\"}", GARBAGE, false, 0},
    {"{\"allowed\":true,\"ttl\":7,\"ttl\":8}", GARBAGE, false, 0},
    {"{\"allowed\":true,\"allowed\":false}", GARBAGE, false, 0},
    {"{\"allowed\":1}", GARBAGE, false, 0},
    {"{\"allowed\":\"true\"}", GARBAGE, false, 0},
    {"{\"allowed\":null}", GARBAGE, false, 0},
    {"{\"Allowed\":true}", GARBAGE, false, 0},
    {"[true]", GARBAGE, false, 0},
    {"true", GARBAGE, false, 0},
    {"", GARBAGE, false, 0},
    {"{\"allowed\":true}}", GARBAGE, false, 0},
};

START_TEST(an_answer_about_a_room_is_read_strictly) {
    bool allowed = false;
    unsigned ttl_s = 0;
    int result = auth_rooms_read(span_of(room_answers[_i].body), &allowed, &ttl_s);
    ck_assert_int_eq(result, room_answers[_i].expected == GARBAGE ? -EPROTO : 0);
    ck_assert(allowed == room_answers[_i].allowed);
    ck_assert_uint_eq(ttl_s, room_answers[_i].ttl_s);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("auth_service");
    TCase *tests = tcase_create("service");
    tcase_add_loop_test(tests, an_answer_is_read_strictly, 0, (int)ARRAY_LENGTH(answers));
    tcase_add_loop_test(tests, an_answer_about_a_room_is_read_strictly, 0,
                        (int)ARRAY_LENGTH(room_answers));
    tcase_add_loop_test(tests, a_wrong_setting_is_told_in_one_line, 0, (int)ARRAY_LENGTH(settings));
    tcase_add_test(tests,
                   with_the_service_alone_every_token_is_a_question_but_those_that_cannot_be_one);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
