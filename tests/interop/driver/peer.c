/*
 * A scriptable SCTP peer: usrsctp over UDP encapsulation (RFC 6951), driven line by line.
 *
 *   usrsctp_peer [SECONDS]        SECONDS: the longest it lives, 120 unless given
 *
 * One command a line on stdin: a verb and key=value words; lists are separated by commas. One JSON object a line
 * on stdout for each: {"ok": true, ...} or {"ok": false, "error": ERRNO NAME, "detail": TEXT}. Every command that
 * waits takes timeout= (10 seconds). Protocol parameters are in milliseconds, as usrsctp has them.
 *
 *   init addresses= [port=] [peers=] [send_space=] [receive_space=] [refuse=1]             -> port
 *                                                  the UDP port; the host's addresses, and the peer's, each reached
 *                                                  from the one at the same place; whether to ABORT what is unknown
 *   cut addresses= | mend | lose every=            packets from or to these vanish; none; one of every n
 *   stats                                          packets, retransmissions, ...
 *   quit
 *   socket [style=one-to-one|one-to-many] [family=4|6]                   -> socket
 *   set socket= [udp_port=] [nodelay=] [streams=] [rto_initial= rto_min= rto_max=] [heartbeat=] [path_retrans=]
 *       [association_retrans=] [path_mtu=] [sack_delay= sack_frequency=] [interleaving=1] [scheduler=0 to 5]
 *       [allow=FLAGS]                              what SCTP_ENABLE_STREAM_RESET allows the other side
 *   bind socket= addresses= [port=]                                      -> port
 *   listen socket= | accept socket=                                      -> socket
 *   connect socket= address= port= | connectx socket= addresses= port=   -> association
 *   shutdown socket= [association=] | abort socket= [reason= association=] | close socket=
 *   peeloff socket= association=                                         -> socket
 *   primary socket= address= | heartbeat socket= address= | status socket= | local socket=   [association=]
 *   reset socket= [outgoing=1] [incoming=1] [streams=] | reset_all socket= | add socket= [outgoing=] [incoming=]
 *                                                  RFC 6525; all streams if none is listed
 *   change socket= addresses= [remove=1] | prefer socket= address= | adaptation socket= layer=
 *                                                  RFC 5061; the layer is for associations to come
 *   auth socket= [chunks=] [hmac=] [key= secret=] [active=] [deactivate=] [delete=] [association=] [events=1]
 *                                                  RFC 4895: types of chunks to be authenticated, HMAC identifiers,
 *                                                  numbers of keys       -> peer_chunks, local_chunks, counters
 *   send socket= size= [seed=] [count=] [stream=] [ppid=] [unordered=1] [association=]       seed + i for the i-th
 *        [policy=ttl|rtx|prio value=]              when it may be given up: milliseconds, retransmissions, priority
 *        [key=]                                    the shared key to authenticate it with
 *   receive socket= [count=]                                             -> messages, end
 *   events socket= [until=NAME]                                          -> events, end
 *   echo socket= [count=]                          until so many messages, or the end
 *   sink socket= [count=] [gap=] [cut_after= cut=] lists the pauses longer than gap= (0.1 seconds); after so many
 *                                                  messages the addresses are cut off
 *   source socket= size= [seconds=] [count=] [pace=]     pace: messages a second
 *
 * Theory of operation
 *   One thread takes commands; usrsctp has its own for packets and timers. Sockets do not block: a command that
 *   waits sleeps on one condition that every upcall signals, until its deadline (doze). take() reads one piece
 *   from a socket; messages and notifications arrive mixed, so what a command did not ask for is queued for the
 *   next. Of a message only size, hash and addressing are kept, except for echo. sink and source block inside
 *   usrsctp, as an ordinary program would, under an alarm that ends the process.
 *
 *   peer.c the conversation, sockets.c sockets and associations, data.c messages and events, keys.c
 *   authentication, host.c the network.
 */
#define _GNU_SOURCE
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 32 };

FILE *answer;
static char *keys[WORDS], *values[WORDS];
static int words;
static const char *problem;
static double last_day;                    /* when the process ends */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t activity;
static uint64_t upcalls;

/* ---- the words of a command ---- */

const char *word(const char *key, const char *otherwise)
{
	for (int i = 0; i < words; i++)
		if (strcmp(keys[i], key) == 0)
			return values[i];
	return otherwise;
}

double number(const char *key, double otherwise)
{
	const char *text = word(key, NULL);
	return text ? strtod(text, NULL) : otherwise;
}

bool addresses(const char *key, uint16_t port, struct address_list *list)
{
	char text[1024], *rest = text, *one;

	memset(list, 0, sizeof(*list));
	snprintf(text, sizeof(text), "%s", word(key, ""));
	while ((one = strsep(&rest, ",")) && list->count < HOST_ADDRESSES) {
		struct sockaddr_storage *address = &list->address[list->count];
		struct sockaddr_in *v4 = (struct sockaddr_in *)address;
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

		if (inet_pton(AF_INET, one, &v4->sin_addr) == 1) {
			v4->sin_family = AF_INET;
			v4->sin_port = htons(port);
		} else if (inet_pton(AF_INET6, one, &v6->sin6_addr) == 1) {
			v6->sin6_family = AF_INET6;
			v6->sin6_port = htons(port);
		} else {
			return false;
		}
		list->count++;
	}
	return list->count > 0;
}

int failed(const char *what)
{
	problem = what;
	return -1;
}

int wrong(const char *argument)
{
	errno = EINVAL;
	return failed(argument);
}

int late(const char *what)
{
	errno = ETIMEDOUT;
	return failed(what);
}

/* ---- time ---- */

double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double deadline(void)
{
	return now() + number("timeout", 10);
}

static void on_alarm(int signal)
{
	static const char text[] = "{\"ok\": false, \"error\": \"ETIMEDOUT\", \"detail\": \"the process is out of time\"}\n";
	(void)signal;
	_exit(write(STDOUT_FILENO, text, sizeof(text) - 1) > 0 ? 3 : 4);
}

void limit(double seconds)
{
	double left = last_day - now();
	alarm((unsigned)(seconds < left ? seconds : left > 0 ? left : 0) + 1);
}

static void on_upcall(struct socket *so, void *arg, int flags)
{
	(void)so, (void)arg, (void)flags;
	pthread_mutex_lock(&lock);
	upcalls++;
	pthread_cond_broadcast(&activity);
	pthread_mutex_unlock(&lock);
}

uint64_t wakeups(void)
{
	pthread_mutex_lock(&lock);
	uint64_t count = upcalls;
	pthread_mutex_unlock(&lock);
	return count;
}

bool doze(uint64_t seen, double until)
{
	double wake = now() + 0.005;       /* at most: not every change makes an upcall */
	struct timespec t = {.tv_sec = (time_t)wake, .tv_nsec = (long)((wake - (double)(time_t)wake) * 1e9)};

	if (now() >= until)
		return false;
	pthread_mutex_lock(&lock);
	if (upcalls == seen)
		pthread_cond_timedwait(&activity, &lock, &t);
	pthread_mutex_unlock(&lock);
	return true;
}

/* ---- the sockets' numbers ---- */

static struct peer sockets[SOCKETS];

struct peer *the_socket(void)
{
	int handle = (int)number("socket", -1);
	return handle >= 0 && handle < SOCKETS && sockets[handle].so ? &sockets[handle] : NULL;
}

int adopt(struct socket *so, bool many)
{
	for (int i = 0; i < SOCKETS; i++) {
		if (sockets[i].so)
			continue;
		sockets[i] = (struct peer){.so = so, .many = many, .end = ""};
		usrsctp_set_non_blocking(so, 1);
		usrsctp_set_upcall(so, on_upcall, NULL);
		fprintf(answer, ", \"socket\": %d", i);
		return 0;
	}
	usrsctp_close(so);
	errno = EMFILE;
	return failed("sockets");
}

/* ---- the host's commands ---- */

static int do_init(void)
{
	static bool done;
	struct address_list own, peers;
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number("port", 0))};
	socklen_t length = sizeof(any);
	int probe;

	if (done || !addresses("addresses", 0, &own))
		return wrong(done ? "init comes once" : "addresses");
	/* usrsctp_init() says nothing when the port is taken, so it is tried here first. */
	probe = socket(AF_INET, SOCK_DGRAM, 0);
	if (probe < 0 || bind(probe, (struct sockaddr *)&any, length) < 0 ||
	    getsockname(probe, (struct sockaddr *)&any, &length) < 0)
		return failed("UDP port");
	close(probe);
	host_set_addresses(&own);
	if (addresses("peers", 0, &peers))
		host_set_routes(&peers);
	usrsctp_init(ntohs(any.sin_port), NULL, NULL);
	done = true;
	/* As root it also hears IP protocol 132 of others. Unless told so it sends no ABORT to what it does not know. */
	usrsctp_sysctl_set_sctp_blackhole(number("refuse", 0) != 0 ? 0 : 2);
	usrsctp_sysctl_set_sctp_no_csum_on_loopback(0);  /* CRC32c as on a real path */
	if (word("send_space", NULL) && usrsctp_sysctl_set_sctp_sendspace((uint32_t)number("send_space", 0)) < 0)
		return wrong("send_space");
	if (word("receive_space", NULL) && usrsctp_sysctl_set_sctp_recvspace((uint32_t)number("receive_space", 0)) < 0)
		return wrong("receive_space");
	fprintf(answer, ", \"port\": %u", ntohs(any.sin_port));
	return 0;
}

static int do_cut(void)
{
	struct address_list list;

	if (!addresses("addresses", 0, &list))
		return wrong("addresses");
	host_cut(&list);
	return 0;
}

static int do_mend(void)
{
	struct address_list none = {0};

	host_cut(&none);
	return 0;
}

static int do_lose(void)
{
	host_lose((unsigned)number("every", 0));
	return 0;
}

static int do_stats(void)
{
	struct sctpstat s;

	usrsctp_get_stat(&s);
	fprintf(answer, ", \"packets_sent\": %u, \"packets_received\": %u, \"bad_checksum\": %u", s.sctps_sendpackets,
	        s.sctps_recvpackets, s.sctps_badsum);
	fprintf(answer, ", \"chunks_retransmitted\": %u, \"sacks_sent\": %u, \"vanished\": %llu", s.sctps_sendretransdata,
	        s.sctps_sendsacks, (unsigned long long)host_lost());
	return 0;
}

/* ---- the conversation ---- */

static int do_quit(void)
{
	return 0;
}

static const struct { const char *verb; int (*run)(void); } commands[] = {
	{"init", do_init}, {"cut", do_cut}, {"mend", do_mend}, {"lose", do_lose}, {"stats", do_stats}, {"quit", do_quit},
	{"socket", do_socket}, {"set", do_set}, {"bind", do_bind}, {"listen", do_listen}, {"accept", do_accept},
	{"connect", do_connect}, {"connectx", do_connectx}, {"shutdown", do_shutdown}, {"abort", do_abort},
	{"close", do_close}, {"peeloff", do_peeloff}, {"primary", do_primary}, {"heartbeat", do_heartbeat},
	{"status", do_status}, {"local", do_local}, {"reset", do_reset}, {"reset_all", do_reset_all}, {"add", do_add},
	{"auth", do_auth}, {"change", do_change}, {"prefer", do_prefer}, {"adaptation", do_adaptation},
	{"send", do_send}, {"receive", do_receive}, {"events", do_events},
	{"echo", do_echo}, {"sink", do_sink}, {"source", do_source},
};

/* Run one command line; false when it was the last. */
static bool run(char *line)
{
	char *rest = line, *verb = strsep(&rest, " \n"), *one, *text = NULL;
	size_t length = 0;
	int result = -1;

	words = 0;
	while ((one = strsep(&rest, " \n")) && words < WORDS) {
		char *equals = strchr(one, '=');
		if (!equals)
			continue;
		*equals = '\0';
		keys[words] = one;
		values[words++] = equals + 1;
	}
	answer = open_memstream(&text, &length);
	if (!answer)
		return false;
	errno = ENOSYS;
	problem = "no such command";
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].verb, verb) == 0)
			result = commands[i].run();
	int error = errno;
	fclose(answer);
	if (result == 0)
		printf("{\"ok\": true%s}\n", text);
	else
		printf("{\"ok\": false, \"error\": \"%s\", \"detail\": \"%s %s\"}\n",
		       strerrorname_np(error) ? strerrorname_np(error) : "?", verb, problem);
	fflush(stdout);
	free(text);
	return strcmp(verb, "quit") != 0;
}

int main(int argc, char **argv)
{
	static char line[4096];
	pthread_condattr_t monotonic;

	last_day = now() + (argc > 1 ? strtod(argv[1], NULL) : 120);
	signal(SIGALRM, on_alarm);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&activity, &monotonic);
	do
		limit(1e9);
	while (fgets(line, sizeof(line), stdin) && run(line));
	_exit(0);                          /* not usrsctp_finish(): it waits for associations that are closing */
}
