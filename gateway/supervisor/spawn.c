#include "gateway/supervisor/spawn.h"

#include "common/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define INGEST_NAME "moonx-ingest"

extern char **environ;

static int open_beside(const char *name, int *out, char *error, size_t error_size);
static int heritage_file(const struct heritage *heritage, int *out);
static void become_child(pid_t parent);
static void keep_heritage(const struct heritage *heritage, int heritage_fd);
static int collect(int fd, pid_t pid, unsigned timeout_ms, char *output, size_t size);

int spawn_open_programs(struct spawn_programs *out, char *error, size_t error_size) {
    struct spawn_programs made;
    made.gateway_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    if (made.gateway_fd < 0) {
        int failure = -errno;
        snprintf(error, error_size, "can't open /proc/self/exe: %s; is /proc mounted?",
                 strerror(-failure));
        return failure;
    }
    int result = open_beside(INGEST_NAME, &made.ingest_fd, error, error_size);
    if (result < 0) {
        close(made.gateway_fd);
        return result;
    }
    *out = made;
    return 0;
}

void spawn_close_programs(struct spawn_programs *programs) {
    close(programs->gateway_fd);
    close(programs->ingest_fd);
    programs->gateway_fd = programs->ingest_fd = -1;
}

int spawn_child(int program_fd, char *const *argv, const struct heritage *heritage, pid_t *pid) {
    int heritage_fd = -1;
    pid_t parent = getpid();
    int result = heritage_file(heritage, &heritage_fd);
    if (result < 0) {
        return result;
    }
    pid_t child = fork();
    if (child == 0) {
        become_child(parent);
        setsid();
        keep_heritage(heritage, heritage_fd);
        execveat(program_fd, "", argv, environ, AT_EMPTY_PATH);
        _exit(SPAWN_EXEC_FAILED);
    }
    result = child < 0 ? -errno : 0;
    close(heritage_fd);
    if (result == 0) {
        *pid = child;
    }
    return result;
}

int spawn_run(int program_fd, char *const *argv, unsigned timeout_ms, bool with_errors,
              char *output, size_t size) {
    int ends[2];
    pid_t parent = getpid();
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -errno;
    }
    pid_t child = fork();
    if (child == 0) {
        become_child(parent);
        dup2(ends[1], STDOUT_FILENO);
        if (with_errors) {
            dup2(ends[1], STDERR_FILENO);
        }
        execveat(program_fd, "", argv, environ, AT_EMPTY_PATH);
        _exit(SPAWN_EXEC_FAILED);
    }
    int result = child < 0 ? -errno : 0;
    close(ends[1]);
    if (result == 0) {
        result = collect(ends[0], child, timeout_ms, output, size);
    }
    close(ends[0]);
    return result;
}

static int open_beside(const char *name, int *out, char *error, size_t error_size) {
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (length < 0) {
        length = 0;
    }
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    size_t room = slash ? sizeof(path) - (size_t)(slash + 1 - path) : 0;
    if (room <= strlen(name)) {
        snprintf(error, error_size, "can't find the folder of this program");
        return -ENOENT;
    }
    memcpy(slash + 1, name, strlen(name) + 1);
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        int failure = -errno;
        snprintf(error, error_size, "can't open %s: %s; build or install it beside moonx-gateway",
                 path, strerror(-failure));
        return failure;
    }
    *out = fd;
    return 0;
}

/* Sealed, so that what the child reads is what was written here. */
static int heritage_file(const struct heritage *heritage, int *out) {
    int fd = memfd_create("moonx-heritage", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return -errno;
    }
    ssize_t written = pwrite(fd, heritage, sizeof(*heritage), 0);
    int result = written < 0 ? -errno : written == (ssize_t)sizeof(*heritage) ? 0 : -EIO;
    if (result == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        result = -errno;
    }
    if (result < 0) {
        close(fd);
        return result;
    }
    *out = fd;
    return 0;
}

static void reset_signals(void) {
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number < NSIG; number++) {
        sigaction(number, &usual, NULL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child, between fork and exec. SIGKILL as the parent's death signal, because SIGTERM would start a
 * drain that nobody watches; the parent may have died before it was set. A child that changes its user
 * must set it again. */
static void become_child(pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(SPAWN_EXEC_FAILED);
    }
    reset_signals();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0) {
        _exit(SPAWN_EXEC_FAILED);
    }
    /* also those that came from whoever started the supervisor */
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
}

static void keep(int fd) {
    if (fd >= 0) {
        fcntl(fd, F_SETFD, 0);
    }
}

static void keep_heritage(const struct heritage *heritage, int heritage_fd) {
    char number[16];
    snprintf(number, sizeof(number), "%d", heritage_fd);
    setenv(HERITAGE_ENVIRONMENT, number, 1);
    keep(heritage_fd);
    keep(heritage->segment_fd);
    keep(heritage->host_fd);
    keep(heritage->admin_fd);
    keep(heritage->revocation_fd);
    keep(heritage->limit_fd);
    keep(heritage->config_fd);
    keep(heritage->uplink_wake_fd);
    keep(heritage->ticket_fd);
    keep(heritage->once_fd);
    for (unsigned i = 0; i < HERITAGE_MAX_WORKERS; i++) {
        keep(heritage->worker_fd[i]);
        keep(heritage->wake_fd[i]);
        keep(heritage->listen_fd[i]);
        keep(heritage->uplink_fd[i]);
    }
}

static int exit_status(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Takes what there is; returns false at the end of the stream. What does not fit is thrown away. */
static bool take_output(int fd, char *output, size_t size, size_t *filled) {
    char scrap[512];
    bool fits = output && *filled + 1 < size;
    char *to = fits ? output + *filled : scrap;
    size_t room = fits ? size - 1 - *filled : sizeof(scrap);
    ssize_t got = read(fd, to, room);
    if (got > 0 && fits) {
        *filled += (size_t)got;
    }
    return got > 0 || (got < 0 && errno == EINTR);
}

/* The stream ends when the helper and all that it has started have let go of it. */
static int collect(int fd, pid_t pid, unsigned timeout_ms, char *output, size_t size) {
    uint64_t deadline = clock_mono_ms() + timeout_ms;
    size_t filled = 0;
    bool open = true;
    while (open) {
        uint64_t now = clock_mono_ms();
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (now >= deadline) {
            kill(pid, SIGKILL);
            (void)exit_status(pid);
            return -ETIMEDOUT;
        }
        if (poll(&wait, 1, (int)(deadline - now)) > 0) {
            open = take_output(fd, output, size, &filled);
        }
    }
    if (output && size > 0) {
        output[filled] = '\0';
    }
    return exit_status(pid);
}
