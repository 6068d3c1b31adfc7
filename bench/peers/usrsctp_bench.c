/*
 * The driver of usrsctp (Debian: libusrsctp-dev): SCTP over UDP encapsulation. One process is one side of one piece of
 * work; command line and answers are those that bench/peers/__init__.py describes.
 *
 * Theory of operation
 *   Blocking calls from one thread, as an ordinary program makes them; the library has threads of its own for packets
 *   and timers. Everything is at the library's defaults (256 KiB buffers, a SACK for every second packet, Nagle on but
 *   in pingpong), with two exceptions: checksums are computed on the loopback interface, too, and a packet that belongs
 *   to no association draws no ABORT. In the work "cut" a thread receives and another one looks at the clock, since the
 *   pauses are what is measured.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <usrsctp.h>

enum { SCTP_PORT = 5001, WARM_UP_ROUNDS = 200, FIRST_ASSOCIATIONS = 100, ADDRESSES = 8, PIECE = 1 << 20, GAPS = 1000 };

static const double LEAST_GAP = 0.02;

static const char *mode = "", *laddr = "127.0.0.1", *raddr = "127.0.0.1";
static bool is_server;
static double ludp = 0, rudp = 0, mtu = 1500, size = 65536, secs = 1.0, warm = 0.2, count = 1000, time_limit = 60;
static double settle = 5.0, graceful = 0;
static char piece[PIECE];

/* ---- clocks, reports, failure ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void pause_for(double seconds)
{
	struct timespec t = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};

	nanosleep(&t, NULL);
}

/* The work is done; what is left is to be ended. */
static _Noreturn void rest(void)
{
	for (;;)
		pause();
}

static _Noreturn void fail(const char *what)
{
	printf("{\"error\": \"%s: %s\"}\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

struct span {
	double began, user, system;
	struct sctpstat stats;
};

static void look(struct span *s)
{
	struct rusage r;

	s->began = now();
	getrusage(RUSAGE_SELF, &r);
	s->user = (double)r.ru_utime.tv_sec + (double)r.ru_utime.tv_usec * 1e-6;
	s->system = (double)r.ru_stime.tv_sec + (double)r.ru_stime.tv_usec * 1e-6;
	usrsctp_get_stat(&s->stats);
}

__attribute__((format(printf, 2, 3))) static void report(const struct span *from, const char *more, ...)
{
	struct span to;
	va_list values;

	look(&to);
	printf("{\"seconds\": %.6f, \"cpu_user\": %.6f, \"cpu_system\": %.6f, \"packets\": %u, \"retransmitted\": %u",
	       to.began - from->began, to.user - from->user, to.system - from->system,
	       is_server ? to.stats.sctps_recvpackets - from->stats.sctps_recvpackets
	                 : to.stats.sctps_sendpackets - from->stats.sctps_sendpackets,
	       to.stats.sctps_sendretransdata - from->stats.sctps_sendretransdata);
	va_start(values, more);
	vprintf(more, values);
	va_end(values);
	printf("}\n");
	fflush(stdout);
}

/* ---- sockets ---- */

static int addresses(const char *list, struct sockaddr_in out[ADDRESSES])
{
	char text[256], *rest_of = text, *one;
	int n = 0;

	snprintf(text, sizeof(text), "%s", list);
	while ((one = strsep(&rest_of, ",")) && n < ADDRESSES) {
		memset(&out[n], 0, sizeof(out[n]));
		out[n].sin_family = AF_INET;
		if (inet_pton(AF_INET, one, &out[n].sin_addr) != 1)
			fail("address");
		n++;
	}
	return n;
}

static void set(struct socket *so, int option, const void *value, socklen_t length, const char *name)
{
	if (usrsctp_setsockopt(so, IPPROTO_SCTP, option, value, length) < 0)
		fail(name);
}

/* A socket on all local addresses; port 0 takes a free one. */
static struct socket *open_socket(uint16_t port)
{
	struct socket *so = usrsctp_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
	struct sctp_udpencaps encapsulation = {.sue_port = htons((uint16_t)rudp)};
	struct sctp_paddrparams path = {.spp_pathmtu = (uint32_t)mtu, .spp_flags = SPP_PMTUD_DISABLE};
	struct sctp_event event = {.se_assoc_id = SCTP_FUTURE_ASSOC, .se_type = SCTP_ASSOC_CHANGE, .se_on = 1};
	struct sockaddr_in local[ADDRESSES];
	struct sockaddr *bound;
	int n = addresses(laddr, local), on = 1;

	if (!so)
		fail("socket");
	local[0].sin_port = htons(port);
	if (usrsctp_bind(so, (struct sockaddr *)&local[0], sizeof(local[0])) < 0)
		fail("bind");
	if (n > 1) {
		if (usrsctp_getladdrs(so, 0, &bound) < 1)
			fail("getladdrs");
		for (int i = 1; i < n; i++) {
			local[i].sin_port = ((struct sockaddr_in *)(void *)bound)->sin_port;
			if (usrsctp_bindx(so, (struct sockaddr *)&local[i], 1, SCTP_BINDX_ADD_ADDR) < 0)
				fail("bindx");
		}
		usrsctp_freeladdrs(bound);
	}
	encapsulation.sue_address.ss_family = AF_INET;
	set(so, SCTP_REMOTE_UDP_ENCAPS_PORT, &encapsulation, sizeof(encapsulation), "SCTP_REMOTE_UDP_ENCAPS_PORT");
	path.spp_address.ss_family = AF_INET;
	if (mtu != 1500)
		set(so, SCTP_PEER_ADDR_PARAMS, &path, sizeof(path), "SCTP_PEER_ADDR_PARAMS");
	if (!strcmp(mode, "pingpong"))
		set(so, SCTP_NODELAY, &on, sizeof(on), "SCTP_NODELAY");
	if (!strcmp(mode, "connectx"))
		set(so, SCTP_EVENT, &event, sizeof(event), "SCTP_EVENT");
	return so;
}

static struct socket *serve(void)
{
	struct socket *so = open_socket(SCTP_PORT);

	if (usrsctp_listen(so, 64) < 0)
		fail("listen");
	printf("READY\n");
	fflush(stdout);
	return so;
}

static struct socket *take(struct socket *listener)
{
	struct socket *so = usrsctp_accept(listener, NULL, NULL);

	if (!so)
		fail("accept");
	return so;
}

static struct socket *dial(void)
{
	struct sockaddr_in remote[ADDRESSES];
	struct socket *so = open_socket(0);

	addresses(raddr, remote);
	remote[0].sin_port = htons(SCTP_PORT);
	if (usrsctp_connect(so, (struct sockaddr *)&remote[0], sizeof(remote[0])) < 0)
		fail("connect");
	return so;
}

static ssize_t receive(struct socket *so, int *flags)
{
	struct sctp_rcvinfo info;
	socklen_t length = sizeof(info);
	unsigned kind = 0;

	*flags = 0;
	return usrsctp_recvv(so, piece, sizeof(piece), NULL, NULL, &info, &length, &kind, flags);
}

static ssize_t transmit(struct socket *so, size_t length)
{
	struct sctp_sndinfo info = {.snd_ppid = htonl(1)};

	return usrsctp_sendv(so, piece, length, NULL, 0, &info, sizeof(info), SCTP_SENDV_SNDINFO, 0);
}

static void abort_and_close(struct socket *so)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	usrsctp_setsockopt(so, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	usrsctp_close(so);
}

/* A shutdown, to its end. */
static void shut_down_and_close(struct socket *so)
{
	int flags;

	if (usrsctp_shutdown(so, SHUT_WR) < 0)
		fail("shutdown");
	while (receive(so, &flags) > 0)
		;
	usrsctp_close(so);
}

/* ---- bulk ---- */

struct bulk {
	struct span span;
	double due;
	bool measuring;
	uint64_t messages, bytes, every;           /* every: the clock is read once in so many messages */
};

static struct bulk begin_bulk(void)
{
	return (struct bulk){.due = now() + warm, .every = size < 1024 ? 32 : 1};
}

static void note(struct bulk *b, uint64_t messages, uint64_t bytes)
{
	if (messages % b->every || now() < b->due)
		return;
	if (!b->measuring) {
		b->measuring = true;
		b->messages = messages;
		b->bytes = bytes;
		look(&b->span);
		b->due = b->span.began + secs;
		return;
	}
	report(&b->span, ", \"messages\": %llu, \"bytes\": %llu", (unsigned long long)(messages - b->messages),
	       (unsigned long long)(bytes - b->bytes));
	b->due = 1e18;
}

static void send_forever(void)
{
	struct socket *so = dial();
	struct bulk b = begin_bulk();

	for (uint64_t messages = 1;; messages++) {
		if (transmit(so, (size_t)size) < 0)
			fail("sendv");
		note(&b, messages, messages * (uint64_t)size);
	}
}

static void bulk(void)
{
	uint64_t messages = 0, bytes = 0;
	struct bulk b;
	ssize_t n;
	int flags;

	if (!is_server)
		send_forever();
	struct socket *so = take(serve());
	while ((n = receive(so, &flags)) > 0) {
		if (bytes == 0)
			b = begin_bulk();
		bytes += (uint64_t)n;
		if (!(flags & MSG_EOR))
			continue;
		note(&b, ++messages, bytes);
	}
}

/* ---- the rest of the work ---- */

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void pingpong(void)
{
	long rounds = (long)count;
	double *times = calloc((size_t)rounds + 1, sizeof(*times));
	struct span span;
	ssize_t n;
	int flags;

	if (is_server) {
		struct socket *so = take(serve());
		while ((n = receive(so, &flags)) > 0)
			transmit(so, (size_t)n);
		return;
	}
	struct socket *so = dial();
	for (long i = -WARM_UP_ROUNDS; i < rounds; i++) {
		if (i == 0)
			look(&span);
		double sent = now();
		if (transmit(so, (size_t)size) < 0 || receive(so, &flags) <= 0)
			fail("pingpong");
		times[i < 0 ? 0 : i] = now() - sent;
	}
	qsort(times, (size_t)rounds, sizeof(*times), ascending);
	report(&span, ", \"rtt_median\": %.3f, \"rtt_p99\": %.3f", times[rounds / 2] * 1e6, times[rounds * 99 / 100] * 1e6);
}

static void setup(void)
{
	struct span span;
	int flags;

	if (is_server) {
		for (struct socket *listener = serve();;) {
			struct socket *so = take(listener);
			while (receive(so, &flags) > 0)
				;
			usrsctp_close(so);
		}
	}
	for (long i = 0; i < (long)count + 1; i++) {
		if (i == 1)
			look(&span);
		if (graceful)
			shut_down_and_close(dial());
		else
			abort_and_close(dial());
	}
	report(&span, ", \"count\": %ld", (long)count);
}

static double resident(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%*s %ld", &pages) != 1)
		fail("statm");
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void idle(void)
{
	struct socket *listener = is_server ? serve() : NULL;
	double before = 0, growth;
	struct span span;

	for (long i = 1; i <= FIRST_ASSOCIATIONS + (long)count; i++) {
		if (listener)
			take(listener);
		else
			dial();
		if (i == FIRST_ASSOCIATIONS)
			before = resident();
	}
	pause_for(0.5);
	growth = resident() - before;
	pause_for(settle);
	look(&span);
	pause_for(secs);
	report(&span, ", \"rss\": %.1f", growth / count);
}

static void connectx(void)
{
	struct sockaddr_in remote[ADDRESSES];
	struct span span;
	int flags, n;

	if (is_server) {
		for (struct socket *listener = serve();;)
			take(listener);
	}
	struct socket *so = open_socket(0);
	n = addresses(raddr, remote);
	for (int i = 0; i < n; i++)
		remote[i].sin_port = htons(SCTP_PORT);
	look(&span);
	if (usrsctp_connectx(so, (struct sockaddr *)remote, n, NULL) < 0 && errno != EINPROGRESS)
		fail("connectx");
	for (;;) {
		const struct sctp_assoc_change *change = (const struct sctp_assoc_change *)(const void *)piece;
		if (receive(so, &flags) <= 0)
			fail("connectx");
		if (!(flags & MSG_NOTIFICATION) || change->sac_type != SCTP_ASSOC_CHANGE)
			continue;
		if (change->sac_state != SCTP_COMM_UP)
			fail("not up");
		break;
	}
	report(&span, ", \"milliseconds\": %.3f", (now() - span.began) * 1e3);
}

/* ---- a path is cut ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static double began, last, gaps[GAPS][2];
static uint64_t tenths[10000];
static int gap_count;

static void add_gap(double time)
{
	if (time - last <= LEAST_GAP || gap_count == GAPS)
		return;
	gaps[gap_count][0] = last;
	gaps[gap_count++][1] = time - last;
}

static void *read_all(void *so)
{
	ssize_t n;
	int flags;

	while ((n = receive(so, &flags)) > 0) {
		double time = now();
		pthread_mutex_lock(&lock);
		if (began == 0)
			began = last = time;
		add_gap(time);
		last = time;
		tenths[(size_t)((time - began) * 10) % (sizeof(tenths) / sizeof(tenths[0]))] += (uint64_t)n;
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void cut(void)
{
	struct span span;
	pthread_t reader;
	bool begun = false;

	if (!is_server)
		send_forever();
	if (pthread_create(&reader, NULL, read_all, take(serve())) != 0)
		fail("thread");
	while (!begun) {
		pause_for(0.01);
		pthread_mutex_lock(&lock);
		begun = began != 0;
		pthread_mutex_unlock(&lock);
	}
	look(&span);
	pause_for(secs);
	pthread_mutex_lock(&lock);
	add_gap(now());
	printf("{\"seconds\": %.6f, \"began\": %.6f, \"gaps\": [", now() - span.began, began);
	for (int i = 0; i < gap_count; i++)
		printf("%s[%.6f, %.6f]", i ? ", " : "", gaps[i][0], gaps[i][1]);
	printf("], \"tenths\": [");
	for (int i = 0; i <= (int)(secs * 10); i++)
		printf("%s%llu", i ? ", " : "", (unsigned long long)tenths[i]);
	printf("]}\n");
	fflush(stdout);
	pthread_mutex_unlock(&lock);
}

/* ---- the command line ---- */

static bool keyword(char *word)
{
	static const struct { const char *key; double *value; } numbers[] = {
		{"ludp", &ludp}, {"rudp", &rudp}, {"mtu", &mtu}, {"size", &size}, {"secs", &secs}, {"warm", &warm},
		{"count", &count}, {"limit", &time_limit}, {"settle", &settle}, {"graceful", &graceful},
	};
	char *value = strchr(word, '=');

	if (!value)
		return false;
	*value++ = '\0';
	if (!strcmp(word, "laddr"))
		laddr = value;
	else if (!strcmp(word, "raddr"))
		raddr = value;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (!strcmp(word, numbers[i].key))
			*numbers[i].value = strtod(value, NULL);
	return true;
}

int main(int argc, char **argv)
{
	static const struct { const char *mode; void (*work)(void); } works[] = {
		{"bulk", bulk}, {"pingpong", pingpong}, {"setup", setup}, {"idle", idle}, {"connectx", connectx}, {"cut", cut},
	};
	bool understood = argc >= 3;

	for (int i = 3; i < argc; i++)
		understood = understood && keyword(argv[i]);
	if (!understood || size < 1 || size > PIECE) {
		fprintf(stderr, "usage: %s MODE server|client [key=value ...]\n", argv[0]);
		return 2;
	}
	mode = argv[1];
	is_server = !strcmp(argv[2], "server");
	alarm((unsigned)time_limit);
	usrsctp_init((uint16_t)ludp, NULL, NULL);
	usrsctp_sysctl_set_sctp_no_csum_on_loopback(0);
	usrsctp_sysctl_set_sctp_blackhole(2);
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
		if (!strcmp(mode, works[i].mode))
			works[i].work();
	rest();
}
