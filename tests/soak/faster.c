/* Time that runs SPEED times as fast, for every program that is started with this preloaded.
 *
 * All clocks go by one line: fake = origin + (real - origin) * speed, the same in every process, since
 * the origins come from the environment. So stamps that processes exchange agree, and wall and
 * monotonic time run alike. Waiting is the other way round: so much shorter. Clocks of processor time
 * are not touched; nor is what the kernel waits for by itself (TCP, socket options, the disk).
 *
 * FASTER_SPEED: factor. FASTER_WALL, FASTER_MONOTONIC: origins, nanoseconds.
 * libfaketime does not do: it leaves sem_clockwait alone, by which Python waits for locks.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define E9 1000000000LL
typedef __int128 wide;

static int64_t speed_milli = 1000, origin_wall, origin_mono;
static int (*real_cond)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
static int (*real_sem)(sem_t *, clockid_t, const struct timespec *);
static int (*real_pselect)(int, fd_set *, fd_set *, fd_set *, const struct timespec *,
                           const sigset_t *);
static int (*real_ppoll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);

static int64_t number(const char *name) {
    const char *text = getenv(name);
    return text ? atoll(text) : 0;
}

static void once(void) __attribute__((constructor));
static void once(void) {
    if (real_ppoll) return;
    const char *speed = getenv("FASTER_SPEED");
    if (speed && atof(speed) >= 1) speed_milli = (int64_t)(atof(speed) * 1000);
    origin_wall = number("FASTER_WALL");
    origin_mono = number("FASTER_MONOTONIC");
    real_cond = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
    real_sem = dlsym(RTLD_NEXT, "sem_clockwait");
    real_pselect = dlsym(RTLD_NEXT, "pselect");
    real_ppoll = dlsym(RTLD_NEXT, "ppoll");
}

static int64_t ns(const struct timespec *t) { return t->tv_sec * E9 + t->tv_nsec; }
static struct timespec spec(int64_t n) {
    if (n < 0) n = 0;
    return (struct timespec){n / E9, n % E9};
}
static int64_t shorter(int64_t span) { return (int64_t)((wide)span * 1000 / speed_milli); }
static int64_t longer(int64_t span) { return (int64_t)((wide)span * speed_milli / 1000); }
static int is_wall(clockid_t c) {
    return c == CLOCK_REALTIME || c == CLOCK_REALTIME_COARSE || c == CLOCK_TAI;
}
static int is_mono(clockid_t c) {
    return c == CLOCK_MONOTONIC || c == CLOCK_MONOTONIC_RAW || c == CLOCK_MONOTONIC_COARSE ||
           c == CLOCK_BOOTTIME;
}
static int64_t origin(clockid_t c) { return is_wall(c) ? origin_wall : origin_mono; }
static struct timespec real_at(clockid_t c, const struct timespec *fake) {
    return spec(origin(c) + shorter(ns(fake) - origin(c)));
}
static int real_gettime(clockid_t c, struct timespec *t) {
    return (int)syscall(SYS_clock_gettime, c, t);
}

int clock_gettime(clockid_t c, struct timespec *t) {
    once();
    int failed = real_gettime(c, t);
    if (!failed && (is_wall(c) || is_mono(c)))
        *t = spec(origin(c) + longer(ns(t) - origin(c)));
    return failed;
}
int gettimeofday(struct timeval *restrict t, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *t = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}
time_t time(time_t *t) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (t) *t = now.tv_sec;
    return now.tv_sec;
}
int timespec_get(struct timespec *t, int base) {
    if (base != TIME_UTC) return 0;
    clock_gettime(CLOCK_REALTIME, t);
    return base;
}

int clock_nanosleep(clockid_t c, int flags, const struct timespec *want, struct timespec *left) {
    once();
    if (!is_wall(c) && !is_mono(c))
        return syscall(SYS_clock_nanosleep, c, flags, want, left) ? errno : 0;
    int until = flags & TIMER_ABSTIME;
    struct timespec real = until ? real_at(c, want) : spec(shorter(ns(want)));
    if (!syscall(SYS_clock_nanosleep, c, flags, &real, left)) return 0;
    if (errno == EINTR && left && !until) *left = spec(longer(ns(left)));
    return errno;
}
int nanosleep(const struct timespec *want, struct timespec *left) {
    errno = clock_nanosleep(CLOCK_MONOTONIC, 0, want, left);
    return errno ? -1 : 0;
}
int usleep(useconds_t us) {
    struct timespec want = spec(us * 1000LL);
    return nanosleep(&want, NULL);
}
unsigned sleep(unsigned s) {
    struct timespec want = {s, 0}, left = {0, 0};
    return nanosleep(&want, &left) ? (unsigned)left.tv_sec : 0;
}

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *want, const sigset_t *mask) {
    once();
    struct timespec real;
    if (want) real = spec(shorter(ns(want)));
    return real_ppoll(fds, n, want ? &real : NULL, mask);
}
int poll(struct pollfd *fds, nfds_t n, int ms) {
    struct timespec want = spec(ms * 1000000LL);
    return ppoll(fds, n, ms < 0 ? NULL : &want, NULL);
}
int __poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t size) {
    (void)size;
    return poll(fds, n, ms);
}
int pselect(int n, fd_set *r, fd_set *w, fd_set *e, const struct timespec *want,
            const sigset_t *mask) {
    once();
    struct timespec real;
    if (want) real = spec(shorter(ns(want)));
    return real_pselect(n, r, w, e, want ? &real : NULL, mask);
}
int select(int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *t) {
    struct timespec want;
    if (t) want = (struct timespec){t->tv_sec, t->tv_usec * 1000L};
    return pselect(n, r, w, e, t ? &want : NULL, NULL);
}
static int shorter_ms(int ms) { /* rounded up: a loop that waits 0 ms never rests */
    return ms <= 0 ? ms : (int)((shorter(ms * 1000000LL) + 999999) / 1000000);
}
int epoll_pwait(int fd, struct epoll_event *got, int n, int ms, const sigset_t *mask) {
    once();
    return (int)syscall(SYS_epoll_pwait, fd, got, n, shorter_ms(ms), mask, 8);
}
int epoll_wait(int fd, struct epoll_event *got, int n, int ms) {
    return epoll_pwait(fd, got, n, ms, NULL);
}

int sem_clockwait(sem_t *s, clockid_t c, const struct timespec *until) {
    once();
    struct timespec real = real_at(c, until);
    return real_sem(s, c, &real);
}
int sem_timedwait(sem_t *s, const struct timespec *until) {
    return sem_clockwait(s, CLOCK_REALTIME, until);
}
int pthread_cond_clockwait(pthread_cond_t *v, pthread_mutex_t *m, clockid_t c,
                           const struct timespec *until) {
    once();
    struct timespec real = real_at(c, until);
    return real_cond(v, m, c, &real);
}
/* Which clock a condition goes by is hidden in it; a time since 1970 tells itself from one since the
 * start of the machine. */
int pthread_cond_timedwait(pthread_cond_t *v, pthread_mutex_t *m, const struct timespec *until) {
    clockid_t c = until->tv_sec > 1000000000 ? CLOCK_REALTIME : CLOCK_MONOTONIC;
    return pthread_cond_clockwait(v, m, c, until);
}
