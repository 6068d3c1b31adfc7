/*
 * What the parts of the driver share: the words of a command, its reply, and the sockets.
 */
#ifndef SCTPX_INTEROP_PEER_H
#define SCTPX_INTEROP_PEER_H

#include "host.h"
#include "sha256.h"

#include <stdio.h>
#include <usrsctp.h>

enum { SOCKETS = 4096, PIECE = 1 << 16, LARGEST = 16 << 20 };

/* A message that arrived and was not asked for yet. */
struct message {
	struct message *next;
	uint64_t size;
	uint32_t ppid, association;
	uint16_t stream, ssn;
	bool unordered;
	uint8_t digest[32];
};

/* A notification that arrived and was not asked for yet. */
struct event {
	struct event *next;
	const char *name;
	uint32_t association;
	char details[256];                 /* further members of its JSON object */
};

enum { STREAMS = 16 };                     /* of which messages in pieces are told apart */

/* A message that is arriving. */
struct arriving {
	struct sha256 hash;
	uint64_t size;                     /* bytes so far */
};

struct peer {
	struct socket *so;
	bool many;                         /* one-to-many */
	const char *end;                   /* "" while open, then how it ended */
	struct message *messages;
	struct event *events;
	struct arriving arriving[STREAMS]; /* the message of each stream that is arriving; they may be interleaved */
};

/* The command's words. */
const char *word(const char *key, const char *otherwise);
double number(const char *key, double otherwise);
bool addresses(const char *key, uint16_t port, struct address_list *list);
struct peer *the_socket(void);

/* The reply: members are printed into `answer`; a command that fails names the problem, errno says why. */
extern FILE *answer;
int failed(const char *problem);
int wrong(const char *argument);
int late(const char *problem);

/* Time. */
double now(void);
double deadline(void);                     /* of this command */
uint64_t wakeups(void);
bool doze(uint64_t seen, double until);    /* until something happened since `seen`; false: out of time */
void limit(double seconds);                /* the process ends unless this is called again within */

/* Sockets. */
int adopt(struct socket *so, bool many);
const char *address_text(const struct sockaddr *address);

/* Data: read one piece if there is one; false when there was none. */
bool take(struct peer *peer);
struct event *find_event(const struct peer *peer, const char *name, uint32_t association);

/* The commands. */
int do_socket(void), do_set(void), do_bind(void), do_listen(void), do_accept(void), do_connect(void), do_connectx(void);
int do_shutdown(void), do_close(void), do_abort(void), do_peeloff(void), do_primary(void), do_heartbeat(void);
int do_change(void), do_prefer(void), do_adaptation(void);
int do_status(void), do_local(void), do_reset(void), do_reset_all(void), do_add(void), do_auth(void);
int do_send(void), do_receive(void), do_events(void), do_echo(void), do_sink(void), do_source(void);

#endif
