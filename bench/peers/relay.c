/*
 * A relay that loses and delays UDP packets, for two processes on one host that send to it instead of to each other.
 *
 *   relay A B CLIENT SERVER LOSS DELAY RATE QUEUE SEED LIMIT
 *
 * What arrives on port A goes from port B to port SERVER; what arrives on port B goes from port A to port CLIENT (all on
 * 127.0.0.1). Of a million packets LOSS are lost, each by a draw of its own, whichever way it goes; the others are
 * DELAY microseconds under way, in order. If RATE is not 0, each way is a line of so many bits a second (of IP packets), and
 * what finds more than QUEUE bytes before it is lost as well. SEED (not 0) makes the draws. It prints READY, ends on SIGTERM,
 * or after LIMIT seconds, and prints what it did as one JSON object.
 *
 * Theory of operation
 *   The delay is the same for all, and a line keeps the order, so that a ring of packets in order of arrival is the queue
 *   of each way. One thread: wait until something arrives or the oldest packet is due; read both sockets, at most a batch
 *   each; send what is due. Neither UDP_GRO nor UDP_SEGMENT: the kernel splits what the senders merged, and each packet is
 *   a packet here.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PACKET = 2048, RING = 1 << 13, BATCH = 64, BUFFER = 8 << 20, HEADERS = 28 };

struct packet {
	int64_t due;
	int length;
	char data[PACKET];
};

/* What came by one of the sockets, and goes out by the other one. */
struct way {
	struct packet ring[RING];
	uint64_t head, tail;
	int64_t line_free;                         /* when the line has sent what was taken in so far */
};

static struct way ways[2];
static uint64_t lost, queue_full, overflowed, sent, rate, queue;
static int sockets[2];
static volatile sig_atomic_t over;

static void stop(int number)
{
	(void)number;
	over = 1;
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int open_socket(int port, int peer)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), bytes = BUFFER;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	address.sin_port = htons((uint16_t)port);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	address.sin_port = htons((uint16_t)peer);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -1 : fd;
}

/* xorshift64 */
static bool draw(uint64_t *state, uint64_t loss)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state % 1000000 < loss;
}

/* When a packet of so many bytes has passed the line; -1 if the queue before it is full. */
static int64_t pass_line(struct way *w, int64_t time, unsigned length)
{
	int64_t start = w->line_free > time ? w->line_free : time;

	if (!rate)
		return time;
	if ((uint64_t)(start - time) * rate / 8000000000u + length > queue)
		return -1;
	return w->line_free = start + (int64_t)(length * 8000000000u / rate);
}

static void take_in(int way, uint64_t *state, uint64_t loss, int64_t delay)
{
	struct way *w = &ways[way];
	struct mmsghdr messages[BATCH];
	struct iovec pieces[BATCH];
	static char buffers[BATCH][PACKET];
	int n;
	int64_t time, passed;

	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < BATCH; i++) {
		pieces[i] = (struct iovec){buffers[i], PACKET};
		messages[i].msg_hdr.msg_iov = &pieces[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(sockets[way], messages, BATCH, 0, NULL);
	time = now();
	for (int i = 0; i < n; i++) {
		struct packet *p = &w->ring[w->tail % RING];
		if (draw(state, loss)) {
			lost++;
		} else if (w->tail - w->head == RING) {
			overflowed++;
		} else if ((passed = pass_line(w, time, messages[i].msg_len + HEADERS)) < 0) {
			queue_full++;
		} else {
			p->due = passed + delay;
			p->length = (int)messages[i].msg_len;
			memcpy(p->data, buffers[i], messages[i].msg_len);
			w->tail++;
		}
	}
}

/* Send what is due of what came by this way. */
static void put_out(int way)
{
	struct way *w = &ways[way];
	struct mmsghdr messages[BATCH];
	struct iovec pieces[BATCH];
	int64_t time = now();

	while (w->head != w->tail && w->ring[w->head % RING].due <= time) {
		int n = 0, done;

		memset(messages, 0, sizeof(messages));
		while (n < BATCH && w->head + (uint64_t)n != w->tail) {
			struct packet *p = &w->ring[(w->head + (uint64_t)n) % RING];
			if (p->due > time)
				break;
			pieces[n] = (struct iovec){p->data, (size_t)p->length};
			messages[n].msg_hdr.msg_iov = &pieces[n];
			messages[n].msg_hdr.msg_iovlen = 1;
			n++;
		}
		done = sendmmsg(sockets[1 - way], messages, (unsigned)n, 0);
		if (done < 0 && (errno == EAGAIN || errno == ENOBUFS))
			return;
		done = done < 1 ? 1 : done;        /* a peer that is gone, or not there yet: that packet is lost */
		w->head += (uint64_t)done;
		sent += (uint64_t)done;
	}
}

/* Nanoseconds until a packet is due; a tenth of a second if there is none. */
static int64_t until_due(void)
{
	int64_t wait = 100000000, time = now();

	for (int i = 0; i < 2; i++) {
		struct way *w = &ways[i];
		if (w->head != w->tail && w->ring[w->head % RING].due - time < wait)
			wait = w->ring[w->head % RING].due - time;
	}
	return wait < 0 ? 0 : wait;
}

int main(int argc, char **argv)
{
	struct pollfd watched[2];
	uint64_t state, loss;
	int64_t delay;

	if (argc != 11) {
		fprintf(stderr, "usage: %s A B CLIENT SERVER LOSS DELAY RATE QUEUE SEED LIMIT\n", argv[0]);
		return 2;
	}
	sockets[0] = open_socket(atoi(argv[1]), atoi(argv[3]));
	sockets[1] = open_socket(atoi(argv[2]), atoi(argv[4]));
	if (sockets[0] < 0 || sockets[1] < 0) {
		perror("relay");
		return 1;
	}
	loss = strtoull(argv[5], NULL, 10);
	delay = strtoll(argv[6], NULL, 10) * 1000;
	rate = strtoull(argv[7], NULL, 10);
	queue = strtoull(argv[8], NULL, 10);
	state = strtoull(argv[9], NULL, 10) * 0x9E3779B97F4A7C15u | 1;
	signal(SIGTERM, stop);
	signal(SIGALRM, stop);
	alarm((unsigned)atoi(argv[10]));
	prctl(PR_SET_TIMERSLACK, 1000);
	for (int i = 0; i < 2; i++)
		watched[i] = (struct pollfd){.fd = sockets[i], .events = POLLIN};
	printf("READY\n");
	fflush(stdout);
	while (!over) {
		struct timespec timeout = {.tv_nsec = until_due()};

		if (ppoll(watched, 2, &timeout, NULL) < 0 && errno != EINTR)
			break;
		for (int i = 0; i < 2; i++)
			if (watched[i].revents)
				take_in(i, &state, loss, delay);
		for (int i = 0; i < 2; i++)
			put_out(i);
	}
	printf("{\"sent\": %llu, \"lost\": %llu, \"queue_full\": %llu, \"overflowed\": %llu}\n", (unsigned long long)sent,
	       (unsigned long long)lost, (unsigned long long)queue_full, (unsigned long long)overflowed);
	return 0;
}
