/*
 * A relay that loses and delays UDP packets, for two processes on one host that send to it instead of to each other.
 *
 *   relay A B CLIENT SERVER LOSS DELAY SEED LIMIT
 *
 * What arrives on port A goes from port B to port SERVER; what arrives on port B goes from port A to port CLIENT (all on
 * 127.0.0.1). Of a million packets LOSS are lost, each by a draw of its own, whichever way it goes; the others are
 * DELAY microseconds under way, in order. SEED (not 0) makes the draws. It prints READY, ends on SIGTERM, or after LIMIT
 * seconds, and prints what it did as one JSON object.
 *
 * Theory of operation
 *   The delay is the same for all, so a ring of packets in order of arrival is the queue. One thread: wait until
 *   something arrives or the oldest packet is due; read both sockets, at most a batch each; send what is due. Neither
 *   UDP_GRO nor UDP_SEGMENT: the kernel splits what the senders merged, and each packet is a packet here.
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

enum { PACKET = 2048, RING = 1 << 14, BATCH = 64, BUFFER = 8 << 20 };

struct packet {
	int64_t due;
	int length, way;                           /* way: the socket it came by */
	char data[PACKET];
};

static struct packet ring[RING];
static uint64_t head, tail, lost, overflowed, sent;
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

static void take_in(int way, uint64_t *state, uint64_t loss, int64_t delay)
{
	struct mmsghdr messages[BATCH];
	struct iovec pieces[BATCH];
	static char buffers[BATCH][PACKET];
	int n;
	int64_t due;

	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < BATCH; i++) {
		pieces[i] = (struct iovec){buffers[i], PACKET};
		messages[i].msg_hdr.msg_iov = &pieces[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(sockets[way], messages, BATCH, 0, NULL);
	due = now() + delay;
	for (int i = 0; i < n; i++) {
		struct packet *p = &ring[tail % RING];
		if (draw(state, loss)) {
			lost++;
		} else if (tail - head == RING) {
			overflowed++;
		} else {
			p->due = due;
			p->way = way;
			p->length = (int)messages[i].msg_len;
			memcpy(p->data, buffers[i], messages[i].msg_len);
			tail++;
		}
	}
}

/* Send what is due, in runs that go the same way. */
static void put_out(void)
{
	struct mmsghdr messages[BATCH];
	struct iovec pieces[BATCH];
	int64_t time = now();

	while (head != tail && ring[head % RING].due <= time) {
		int way = ring[head % RING].way, n = 0, done;

		memset(messages, 0, sizeof(messages));
		while (n < BATCH && head + (uint64_t)n != tail) {
			struct packet *p = &ring[(head + (uint64_t)n) % RING];
			if (p->way != way || p->due > time)
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
		head += (uint64_t)done;
		sent += (uint64_t)done;
	}
}

int main(int argc, char **argv)
{
	struct pollfd watched[2];
	uint64_t state, loss;
	int64_t delay;

	if (argc != 9) {
		fprintf(stderr, "usage: %s A B CLIENT SERVER LOSS DELAY SEED LIMIT\n", argv[0]);
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
	state = strtoull(argv[7], NULL, 10) * 0x9E3779B97F4A7C15u | 1;
	signal(SIGTERM, stop);
	signal(SIGALRM, stop);
	alarm((unsigned)atoi(argv[8]));
	prctl(PR_SET_TIMERSLACK, 1000);
	for (int i = 0; i < 2; i++)
		watched[i] = (struct pollfd){.fd = sockets[i], .events = POLLIN};
	printf("READY\n");
	fflush(stdout);
	while (!over) {
		int64_t wait = head == tail ? 100000000 : ring[head % RING].due - now();
		struct timespec timeout = {.tv_nsec = wait < 0 ? 0 : wait};

		if (ppoll(watched, 2, &timeout, NULL) < 0 && errno != EINTR)
			break;
		for (int i = 0; i < 2; i++)
			if (watched[i].revents)
				take_in(i, &state, loss, delay);
		put_out();
	}
	printf("{\"sent\": %llu, \"lost\": %llu, \"overflowed\": %llu}\n", (unsigned long long)sent,
	       (unsigned long long)lost, (unsigned long long)overflowed);
	return 0;
}
