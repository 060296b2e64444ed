/* What a child inherits: whole, sealed, bounded and ours, or nothing at all. */
#include "common/heritage.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* One descriptor for all: what is behind them is not looked at. */
static int some_fd;

static struct heritage sound_heritage(void) {
    struct heritage heritage = {.magic = HERITAGE_MAGIC,
                                .version = HERITAGE_VERSION,
                                .limit_fd = -1,
                                .admin_fd = -1,
                                .revocation_fd = -1,
                                .config_fd = -1,
                                .once_fd = -1,
                                .size = sizeof(struct heritage),
                                .role = HERITAGE_WORKER,
                                .index = 1,
                                .worker_count = 2,
                                .listen_count = 2};

    heritage.run_as_uid = (uint32_t)getuid();
    heritage.run_as_gid = (uint32_t)getgid();
    for (int i = 0; i < HERITAGE_MAX_WORKERS; i++) {
        heritage.worker_fd[i] = heritage.wake_fd[i] = heritage.listen_fd[i] = -1;
        heritage.uplink_fd[i] = -1;
    }
    heritage.segment_fd = dup(some_fd);
    heritage.uplink_wake_fd = dup(some_fd);
    heritage.uplink_fd[1] = dup(some_fd);
    heritage.host_fd = dup(some_fd);
    heritage.worker_fd[0] = dup(some_fd);
    heritage.worker_fd[1] = dup(some_fd);
    heritage.wake_fd[1] = dup(some_fd);
    heritage.listen_fd[0] = dup(some_fd);
    heritage.listen_fd[1] = dup(some_fd);
    return heritage;
}

static void start(void) {
    some_fd = open("/dev/null", O_RDWR);
    ck_assert_int_ge(some_fd, 0);
}

static int memfd_with(const void *data, size_t size, int seals) {
    int fd = memfd_create("heritage", MFD_ALLOW_SEALING);
    char number[16];

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    snprintf(number, sizeof(number), "%d", fd);
    setenv(HERITAGE_ENVIRONMENT, number, 1);
    return fd;
}

static void expect_refused(void) {
    struct heritage out = {.magic = 5};

    ck_assert_int_eq(heritage_take(&out), -EPROTO);
    ck_assert_uint_eq(out.magic, 5);
    ck_assert_ptr_nonnull(getenv(HERITAGE_ENVIRONMENT));
}

static void expect_refused_heritage(const struct heritage *heritage) {
    int fd = memfd_with(heritage, sizeof(*heritage), SEALS);

    expect_refused();
    close(fd);
}

START_TEST(without_the_variable_this_is_no_child) {
    struct heritage out = {.magic = 5};

    unsetenv(HERITAGE_ENVIRONMENT);
    ck_assert_int_eq(heritage_take(&out), 0);
    ck_assert_uint_eq(out.magic, 5);
}
END_TEST

START_TEST(a_sound_heritage_is_taken_once_and_its_descriptors_are_closed_on_exec) {
    struct heritage heritage = sound_heritage(), out = {0};
    int fd = memfd_with(&heritage, sizeof(heritage), SEALS);
    const int inherited[] = {heritage.segment_fd,   heritage.host_fd,    heritage.worker_fd[0],
                             heritage.worker_fd[1], heritage.wake_fd[1], heritage.listen_fd[0],
                             heritage.listen_fd[1]};

    ck_assert_int_eq(heritage_take(&out), 1);
    ck_assert_mem_eq(&out, &heritage, sizeof(out));
    for (size_t i = 0; i < ARRAY_LENGTH(inherited); i++) {
        ck_assert_int_eq(fcntl(inherited[i], F_GETFD), FD_CLOEXEC);
    }
    ck_assert_int_eq(fcntl(some_fd, F_GETFD), 0); /* not named: not touched */
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);     /* the memfd is closed */
    ck_assert_ptr_null(getenv(HERITAGE_ENVIRONMENT));
    ck_assert_int_eq(heritage_take(&out), 0);
}
END_TEST

START_TEST(ingest_needs_no_wake_or_worker_descriptor) {
    struct heritage heritage = sound_heritage(), out;

    heritage.role = HERITAGE_INGEST;
    heritage.index = 0;
    heritage.listen_count = 0;
    memset(heritage.listen_fd, -1, sizeof(heritage.listen_fd));
    memset(heritage.wake_fd, -1, sizeof(heritage.wake_fd));
    memset(heritage.worker_fd, -1, sizeof(heritage.worker_fd));
    memfd_with(&heritage, sizeof(heritage), SEALS);
    ck_assert_int_eq(heritage_take(&out), 1);
}
END_TEST

START_TEST(sixty_four_workers_and_listeners_are_the_most) {
    struct heritage heritage = sound_heritage(), out;

    for (int i = 0; i < HERITAGE_MAX_WORKERS; i++) {
        heritage.listen_fd[i] = heritage.worker_fd[i] = heritage.wake_fd[i] = some_fd;
        heritage.uplink_fd[i] = some_fd;
    }
    heritage.worker_count = heritage.listen_count = HERITAGE_MAX_WORKERS;
    heritage.index = HERITAGE_MAX_WORKERS - 1;
    memfd_with(&heritage, sizeof(heritage), SEALS);
    ck_assert_int_eq(heritage_take(&out), 1);
    heritage.worker_count = HERITAGE_MAX_WORKERS + 1;
    expect_refused_heritage(&heritage);
    heritage.worker_count = HERITAGE_MAX_WORKERS;
    heritage.listen_count = HERITAGE_MAX_WORKERS + 1;
    expect_refused_heritage(&heritage);
}
END_TEST

START_TEST(a_variable_that_names_no_descriptor_is_refused) {
    static const char *const texts[] = {
        "", " ", "x", "-1", "+3", "3 ", " 3", "3x", "99999999999999999999", "4095"};

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        setenv(HERITAGE_ENVIRONMENT, texts[i], 1);
        expect_refused();
    }
}
END_TEST

START_TEST(what_is_no_sealed_memfd_of_the_exact_size_is_refused) {
    struct heritage heritage = sound_heritage();
    char larger[sizeof(heritage) + 1] = {0};
    char number[16];

    snprintf(number, sizeof(number), "%d", some_fd);
    setenv(HERITAGE_ENVIRONMENT, number, 1);
    expect_refused();
    ck_assert_int_eq(fcntl(some_fd, F_GETFD), 0); /* not ours to close */
    memcpy(larger, &heritage, sizeof(heritage));
    memfd_with(larger, sizeof(larger), SEALS);
    expect_refused();
    memfd_with(larger, sizeof(heritage) - 1, SEALS);
    expect_refused();
    memfd_with(larger, 0, SEALS);
    expect_refused();
    memfd_with(&heritage, sizeof(heritage), 0);
    expect_refused();
    memfd_with(&heritage, sizeof(heritage), F_SEAL_SHRINK | F_SEAL_GROW);
    expect_refused();
}
END_TEST

#define EXPECT_REFUSED_WITH(field, value)                                                          \
    do {                                                                                           \
        struct heritage changed = heritage;                                                        \
        changed.field = (value);                                                                   \
        expect_refused_heritage(&changed);                                                         \
    } while (0)

START_TEST(every_field_that_is_out_of_range_is_refused) {
    struct heritage heritage = sound_heritage();

    EXPECT_REFUSED_WITH(magic, HERITAGE_MAGIC + 1);
    EXPECT_REFUSED_WITH(version, HERITAGE_VERSION + 1);
    EXPECT_REFUSED_WITH(size, sizeof(heritage) - 8);
    EXPECT_REFUSED_WITH(role, 0);
    EXPECT_REFUSED_WITH(role, 3);
    EXPECT_REFUSED_WITH(role, HERITAGE_INGEST); /* its index is 1 */
    EXPECT_REFUSED_WITH(index, 2);
    EXPECT_REFUSED_WITH(index, UINT32_MAX);
    EXPECT_REFUSED_WITH(worker_count, 0);
    EXPECT_REFUSED_WITH(worker_count, UINT32_MAX);
    EXPECT_REFUSED_WITH(listen_count, 65);
    EXPECT_REFUSED_WITH(listen_count, 3); /* the third is -1 */
    EXPECT_REFUSED_WITH(segment_fd, -1);
    EXPECT_REFUSED_WITH(host_fd, -1);
    EXPECT_REFUSED_WITH(worker_fd[1], -1); /* its own */
    EXPECT_REFUSED_WITH(wake_fd[1], -1);
    EXPECT_REFUSED_WITH(worker_fd[0], -2);
    EXPECT_REFUSED_WITH(wake_fd[63], INT32_MIN);
    EXPECT_REFUSED_WITH(segment_fd, 4095); /* not open */
    EXPECT_REFUSED_WITH(listen_fd[1], 4095);
}
END_TEST

START_TEST(to_stay_who_one_is_is_nothing_to_do) {
    struct heritage heritage = sound_heritage();

    ck_assert_int_eq(heritage_drop_privileges(&heritage), 0);
    ck_assert_int_eq(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
}
END_TEST

/* Runs in a child as root, since there is no way back. Returns the line that failed, 0 when none. */
static int drop_and_look(void) {
    struct heritage heritage = {.run_as_uid = 65534, .run_as_gid = 65533};
    const gid_t groups[] = {0, 4};
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;

    int death_signal = 0;

    if (setgroups(2, groups) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
        heritage_drop_privileges(&heritage) != 0) {
        return __LINE__;
    }
    /* The kernel forgets it with the old user; the child must still die with its supervisor. */
    if (prctl(PR_GET_PDEATHSIG, &death_signal) != 0 || death_signal != SIGKILL) {
        return __LINE__;
    }
    if (getresuid(&ruid, &euid, &suid) != 0 || ruid != 65534 || euid != 65534 || suid != 65534) {
        return __LINE__;
    }
    if (getresgid(&rgid, &egid, &sgid) != 0 || rgid != 65533 || egid != 65533 || sgid != 65533) {
        return __LINE__;
    }
    if (getgroups(0, NULL) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
        return __LINE__;
    }
    if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || setgroups(0, NULL) == 0) {
        return __LINE__;
    }
    /* A second time, and to another: nothing to do, and not possible. */
    if (heritage_drop_privileges(&heritage) != 0) {
        return __LINE__;
    }
    heritage.run_as_uid = 1;
    return heritage_drop_privileges(&heritage) == -EPERM ? 0 : __LINE__;
}

START_TEST(root_becomes_another_user_for_good) {
    int status = 0;
    pid_t child;

    if (geteuid() != 0) {
        return; /* only root can try */
    }
    child = fork();
    if (child == 0) {
        int line = drop_and_look();
        if (line != 0) {
            fprintf(stderr, "drop_and_look: line %d\n", line);
        }
        _exit(line != 0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

START_TEST(who_is_not_root_can_not_become_another) {
    struct heritage heritage = {.run_as_uid = 12345, .run_as_gid = 12345};
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        bool lowered = geteuid() != 0 || setuid(65534) == 0;
        _exit(!lowered || heritage_drop_privileges(&heritage) != -EPERM);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("heritage");
    TCase *cases = tcase_create("heritage");

    tcase_add_checked_fixture(cases, start, NULL);
    suite_add_tcase(suite, cases);
    tcase_add_test(cases, without_the_variable_this_is_no_child);
    tcase_add_test(cases, a_sound_heritage_is_taken_once_and_its_descriptors_are_closed_on_exec);
    tcase_add_test(cases, ingest_needs_no_wake_or_worker_descriptor);
    tcase_add_test(cases, sixty_four_workers_and_listeners_are_the_most);
    tcase_add_test(cases, a_variable_that_names_no_descriptor_is_refused);
    tcase_add_test(cases, what_is_no_sealed_memfd_of_the_exact_size_is_refused);
    tcase_add_test(cases, every_field_that_is_out_of_range_is_refused);
    tcase_add_test(cases, to_stay_who_one_is_is_nothing_to_do);
    tcase_add_test(cases, root_becomes_another_user_for_good);
    tcase_add_test(cases, who_is_not_root_can_not_become_another);
    return unit_run(suite);
}
