/*
 * Messages and notifications: reading, sending, echoing, and the two ends of a bulk transfer.
 *
 * Content of a given size for a seed s: SHA-256("s:0") SHA-256("s:1") ... cut to that size. Whoever knows the seed
 * knows the hash.
 */
#define _GNU_SOURCE
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static uint8_t piece[PIECE];               /* what was read last */
static uint8_t content[LARGEST];           /* one whole message: the one that arrives, or the one to send */

static void *allocate(size_t size)
{
	void *memory = calloc(1, size);
	if (!memory)
		abort();
	return memory;
}

/* ---- reading ---- */

static void add_event(struct peer *p, const union sctp_notification *n)
{
	static const char *const changes[] = {"other", "comm_up", "comm_lost", "restart", "shutdown_complete", "cannot_start"};
	static const char *const states[] = {"other", "available", "unreachable", "removed", "added", "primary", "confirmed"};
	struct event *e = allocate(sizeof(*e)), **tail = &p->events;

	switch (n->sn_header.sn_type) {
	case SCTP_ASSOC_CHANGE:
		e->name = changes[n->sn_assoc_change.sac_state <= SCTP_CANT_STR_ASSOC ? n->sn_assoc_change.sac_state : 0];
		e->association = n->sn_assoc_change.sac_assoc_id;
		snprintf(e->details, sizeof(e->details), ", \"code\": %u, \"outbound\": %u, \"inbound\": %u",
		         n->sn_assoc_change.sac_error, n->sn_assoc_change.sac_outbound_streams,
		         n->sn_assoc_change.sac_inbound_streams);
		break;
	case SCTP_PEER_ADDR_CHANGE:
		e->name = states[n->sn_paddr_change.spc_state <= SCTP_ADDR_CONFIRMED ? n->sn_paddr_change.spc_state : 0];
		e->association = n->sn_paddr_change.spc_assoc_id;
		snprintf(e->details, sizeof(e->details), ", \"address\": \"%s\"",
		         address_text((const struct sockaddr *)&n->sn_paddr_change.spc_aaddr));
		break;
	case SCTP_ADAPTATION_INDICATION:
		e->name = "adaptation";
		e->association = n->sn_adaptation_event.sai_assoc_id;
		snprintf(e->details, sizeof(e->details), ", \"layer\": %u", n->sn_adaptation_event.sai_adaptation_ind);
		break;
	case SCTP_SHUTDOWN_EVENT:
		e->name = "shutdown";
		e->association = n->sn_shutdown_event.sse_assoc_id;
		break;
	case SCTP_REMOTE_ERROR:
		e->name = "remote_error";
		e->association = n->sn_remote_error.sre_assoc_id;
		snprintf(e->details, sizeof(e->details), ", \"code\": %u", ntohs(n->sn_remote_error.sre_error));
		break;
	case SCTP_STREAM_RESET_EVENT: {
		const struct sctp_stream_reset_event *reset = &n->sn_strreset_event;
		size_t count = (reset->strreset_length - sizeof(*reset)) / sizeof(uint16_t), at;

		e->name = "stream_reset";
		e->association = reset->strreset_assoc_id;
		at = (size_t)snprintf(e->details, sizeof(e->details), ", \"flags\": %u, \"streams\": [", reset->strreset_flags);
		for (size_t i = 0; i < count && i < 10; i++)
			at += (size_t)snprintf(e->details + at, sizeof(e->details) - at, "%s%u", i ? ", " : "",
			                       reset->strreset_stream_list[i]);
		snprintf(e->details + at, sizeof(e->details) - at, "]");
		break;
	}
	case SCTP_ASSOC_RESET_EVENT:
		e->name = "association_reset";
		e->association = n->sn_assocreset_event.assocreset_assoc_id;
		snprintf(e->details, sizeof(e->details), ", \"flags\": %u", n->sn_assocreset_event.assocreset_flags);
		break;
	case SCTP_STREAM_CHANGE_EVENT:
		e->name = "stream_change";
		e->association = n->sn_strchange_event.strchange_assoc_id;
		snprintf(e->details, sizeof(e->details), ", \"flags\": %u, \"inbound\": %u, \"outbound\": %u",
		         n->sn_strchange_event.strchange_flags, n->sn_strchange_event.strchange_instrms,
		         n->sn_strchange_event.strchange_outstrms);
		break;
	case SCTP_SEND_FAILED_EVENT:
		e->name = "send_failed";
		e->association = n->sn_send_failed_event.ssfe_assoc_id;
		snprintf(e->details, sizeof(e->details), ", \"ppid\": %u, \"sent\": %s",
		         ntohl(n->sn_send_failed_event.ssfe_info.snd_ppid),
		         n->sn_send_failed_event.ssfe_flags & SCTP_DATA_SENT ? "true" : "false");
		break;
	case SCTP_AUTHENTICATION_EVENT:
		e->name = n->sn_auth_event.auth_indication == SCTP_AUTH_NEW_KEY    ? "key_new"
		          : n->sn_auth_event.auth_indication == SCTP_AUTH_FREE_KEY ? "key_free"
		                                                                   : "no_auth";
		e->association = n->sn_auth_event.auth_assoc_id;
		snprintf(e->details, sizeof(e->details), ", \"key\": %u", n->sn_auth_event.auth_keynumber);
		break;
	default:
		e->name = "other";
	}
	while (*tail)
		tail = &(*tail)->next;
	*tail = e;
}

static void add_message(struct peer *p, struct arriving *a, const struct sctp_rcvinfo *info)
{
	struct message *m = allocate(sizeof(*m)), **tail = &p->messages;

	m->size = a->size;
	m->ppid = ntohl(info->rcv_ppid);
	m->association = info->rcv_assoc_id;
	m->stream = info->rcv_sid;
	m->ssn = info->rcv_ssn;
	m->unordered = info->rcv_flags & SCTP_UNORDERED;
	sha256_end(&a->hash, m->digest);
	while (*tail)
		tail = &(*tail)->next;
	*tail = m;
}

/* Read into `piece`: its length, or 0 when there is nothing; then p->end tells whether there ever will be. */
static size_t read_piece(struct peer *p, struct sctp_rcvinfo *info, int *flags)
{
	socklen_t length = sizeof(*info);
	unsigned kind = 0;

	*flags = 0;
	memset(info, 0, sizeof(*info));
	ssize_t n = usrsctp_recvv(p->so, piece, sizeof(piece), NULL, NULL, info, &length, &kind, flags);
	if (n > 0)
		return (size_t)n;
	if (n == 0)
		p->end = "closed";
	else if (errno != EWOULDBLOCK && errno != EINTR)
		p->end = strerrorname_np(errno) ? strerrorname_np(errno) : "?";
	return 0;
}

bool take(struct peer *p)
{
	struct sctp_rcvinfo info;
	int flags;
	size_t n = *p->end ? 0 : read_piece(p, &info, &flags);

	if (n == 0)
		return false;
	if (flags & MSG_NOTIFICATION) {
		add_event(p, (const union sctp_notification *)(const void *)piece);
		return true;
	}
	struct arriving *a = &p->arriving[info.rcv_sid % STREAMS];
	if (a->size == 0)
		sha256_begin(&a->hash);
	sha256_add(&a->hash, piece, n);
	if (a->size + n <= LARGEST)
		memcpy(content + a->size, piece, n);
	a->size += n;
	if (flags & MSG_EOR) {
		add_message(p, a, &info);
		a->size = 0;
	}
	return true;
}

struct event *find_event(const struct peer *p, const char *name, uint32_t association)
{
	struct event *e = p->events;

	while (e && (strcmp(e->name, name) != 0 || (association && e->association != association)))
		e = e->next;
	return e;
}

static void print_message(const struct message *m)
{
	fprintf(answer, "{\"size\": %llu, \"stream\": %u, \"ssn\": %u, \"ppid\": %u, \"unordered\": %s, \"association\": %u",
	        (unsigned long long)m->size, m->stream, m->ssn, m->ppid, m->unordered ? "true" : "false", m->association);
	fprintf(answer, ", \"sha256\": \"");
	for (int i = 0; i < 32; i++)
		fprintf(answer, "%02x", m->digest[i]);
	fprintf(answer, "\"}");
}

int do_receive(void)
{
	struct peer *p = the_socket();
	int wanted = (int)number("count", 1), got = 0;
	double until = deadline();
	const char *end = "";

	if (!p)
		return wrong("socket");
	fprintf(answer, ", \"messages\": [");
	while (got < wanted && !*end) {
		uint64_t seen = wakeups();
		struct message *m = p->messages;

		if (m) {
			p->messages = m->next;
			fprintf(answer, "%s", got++ ? ", " : "");
			print_message(m);
			free(m);
		} else if (!take(p)) {
			end = *p->end ? p->end : doze(seen, until) ? "" : "ETIMEDOUT";
		}
	}
	fprintf(answer, "], \"end\": \"%s\"", end);
	return 0;
}

int do_events(void)
{
	struct peer *p = the_socket();
	const char *awaited = word("until", NULL), *end = "";
	double until = deadline();
	bool first = true;

	if (!p)
		return wrong("socket");
	for (;;) {
		uint64_t seen = wakeups();

		while (take(p))
			;
		if (!awaited || find_event(p, awaited, 0))
			break;
		end = *p->end ? p->end : doze(seen, until) ? "" : "ETIMEDOUT";
		if (*end)
			break;
	}
	fprintf(answer, ", \"events\": [");
	while (p->events) {
		struct event *e = p->events;

		fprintf(answer, "%s{\"event\": \"%s\", \"association\": %u%s}", first ? "" : ", ", e->name, e->association,
		        e->details);
		first = false;
		p->events = e->next;
		free(e);
	}
	fprintf(answer, "], \"end\": \"%s\"", end);
	return 0;
}

/* ---- sending ---- */

static void fill_content(unsigned long seed, size_t size)
{
	char text[64];
	uint8_t digest[32];
	struct sha256 hash;

	for (size_t at = 0; at < size; at += 32) {
		int length = snprintf(text, sizeof(text), "%lu:%zu", seed, at / 32);
		sha256_begin(&hash);
		sha256_add(&hash, text, (size_t)length);
		sha256_end(&hash, digest);
		memcpy(content + at, digest, size - at < 32 ? size - at : 32);
	}
}

/* When the message may be given up, if the command says so (RFC 7496 section 4.2). */
static struct sctp_prinfo pr_info(void)
{
	static const struct { const char *name; uint16_t policy; } policies[] = {
		{"ttl", SCTP_PR_SCTP_TTL}, {"rtx", SCTP_PR_SCTP_RTX}, {"prio", SCTP_PR_SCTP_BUF},
	};
	struct sctp_prinfo info = {.pr_policy = SCTP_PR_SCTP_NONE};

	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		if (strcmp(policies[i].name, word("policy", "")) == 0)
			info.pr_policy = policies[i].policy;
	info.pr_value = (uint32_t)number("value", 0);
	return info;
}

/* Send `content` whole. Only a full send buffer waits. */
static int send_content(struct peer *p, size_t size, const struct sctp_sndinfo *info, double until)
{
	struct sctp_sendv_spa spa = {.sendv_flags = SCTP_SEND_SNDINFO_VALID, .sendv_sndinfo = *info};

	if (word("policy", NULL)) {
		spa.sendv_flags |= SCTP_SEND_PRINFO_VALID;
		spa.sendv_prinfo = pr_info();
	}
	if (word("key", NULL)) {
		spa.sendv_flags |= SCTP_SEND_AUTHINFO_VALID;
		spa.sendv_authinfo.auth_keynumber = (uint16_t)number("key", 0);
	}
	for (;;) {
		uint64_t seen = wakeups();

		if (usrsctp_sendv(p->so, content, size, NULL, 0, &spa, sizeof(spa), SCTP_SENDV_SPA, 0) >= 0)
			return 0;
		if (errno != EWOULDBLOCK)
			return failed("sendv");
		if (!doze(seen, until))
			return late("the send buffer is full");
	}
}

static struct sctp_sndinfo send_info(void)
{
	return (struct sctp_sndinfo){
		.snd_sid = (uint16_t)number("stream", 0),
		.snd_flags = number("unordered", 0) != 0 ? SCTP_UNORDERED : 0,
		.snd_ppid = htonl((uint32_t)number("ppid", 0)),
		.snd_assoc_id = (sctp_assoc_t)number("association", 0),
	};
}

int do_send(void)
{
	struct peer *p = the_socket();
	size_t size = (size_t)number("size", 0);
	unsigned long seed = (unsigned long)number("seed", 0);
	struct sctp_sndinfo info = send_info();
	double until = deadline();

	if (!p || size < 1 || size > LARGEST)
		return wrong("socket or size");
	for (int i = 0; i < (int)number("count", 1); i++) {
		fill_content(seed + (unsigned long)i, size);
		if (send_content(p, size, &info, until) < 0)
			return -1;
	}
	return 0;
}

int do_echo(void)
{
	struct peer *p = the_socket();
	long wanted = (long)number("count", 1e9), got = 0;
	double until = deadline();
	const char *end = "";

	if (!p || p->messages)
		return wrong("socket, or it has messages already");
	while (got < wanted && !*end) {
		uint64_t seen = wakeups();

		if (!take(p)) {
			end = *p->end ? p->end : doze(seen, until) ? "" : "ETIMEDOUT";
			continue;
		}
		if (!p->messages)
			continue;
		struct message *m = p->messages;
		struct sctp_sndinfo info = {.snd_sid = m->stream, .snd_flags = m->unordered ? SCTP_UNORDERED : 0,
		                            .snd_ppid = htonl(m->ppid), .snd_assoc_id = m->association};
		int sent = send_content(p, (size_t)m->size, &info, until);

		p->messages = NULL;
		free(m);
		if (sent < 0)
			return -1;
		got++;
	}
	fprintf(answer, ", \"messages\": %ld, \"end\": \"%s\"", got, end);
	return 0;
}

/* ---- bulk ---- */

struct mark {
	double time, user, system;
	struct sctpstat stats;
};

static struct mark mark(void)
{
	struct mark m;
	struct rusage r;

	m.time = now();
	getrusage(RUSAGE_SELF, &r);
	m.user = (double)r.ru_utime.tv_sec + (double)r.ru_utime.tv_usec * 1e-6;
	m.system = (double)r.ru_stime.tv_sec + (double)r.ru_stime.tv_usec * 1e-6;
	usrsctp_get_stat(&m.stats);
	return m;
}

static void print_bulk(const struct mark *a, uint64_t bytes, uint64_t messages, const char *end)
{
	struct mark b = mark();
	double seconds = b.time - a->time;

	fprintf(answer, ", \"bytes\": %llu, \"messages\": %llu, \"end\": \"%s\"", (unsigned long long)bytes,
	        (unsigned long long)messages, end);
	fprintf(answer, ", \"seconds\": %.6f, \"mb_per_s\": %.3f, \"cpu_user\": %.6f, \"cpu_system\": %.6f", seconds,
	        seconds > 0 ? (double)bytes / seconds / 1e6 : 0, b.user - a->user, b.system - a->system);
	fprintf(answer, ", \"packets_sent\": %u, \"packets_received\": %u",
	        b.stats.sctps_sendpackets - a->stats.sctps_sendpackets,
	        b.stats.sctps_recvpackets - a->stats.sctps_recvpackets);
}

/*
 * Take messages until the end or until count; the span measured begins with the first. Gaps: [when, how long].
 * After as many messages as `cut_after` says, the addresses in `cut` are cut off.
 */
int do_sink(void)
{
	struct peer *p = the_socket();
	uint64_t bytes = 0, messages = 0, wanted = (uint64_t)number("count", 1e18), cut_after = (uint64_t)number("cut_after", 0);
	struct address_list cut;
	struct sctp_rcvinfo info;
	struct mark begin = mark();
	double last = 0, least = number("gap", 0.1), gaps[64][2];
	int flags, gap_count = 0;
	size_t n;

	if (!p || (cut_after && !addresses("cut", 0, &cut)))
		return wrong("socket or cut");
	limit(number("timeout", 10));
	usrsctp_set_non_blocking(p->so, 0);
	while (messages < wanted && (n = read_piece(p, &info, &flags)) > 0) {
		if (flags & MSG_NOTIFICATION) {
			add_event(p, (const union sctp_notification *)(const void *)piece);
			continue;
		}
		double time = now();
		if (bytes == 0)
			begin = mark();
		else if (time - last > least && gap_count < 64)
			gaps[gap_count][0] = last - begin.time, gaps[gap_count++][1] = time - last;
		last = time;
		bytes += n;
		if (!(flags & MSG_EOR))
			continue;
		if (++messages == cut_after)
			host_cut(&cut);
	}
	usrsctp_set_non_blocking(p->so, 1);
	print_bulk(&begin, bytes, messages, p->end);
	fprintf(answer, ", \"gaps\": [");
	for (int i = 0; i < gap_count; i++)
		fprintf(answer, "%s[%.6f, %.6f]", i ? ", " : "", gaps[i][0], gaps[i][1]);
	fprintf(answer, "]");
	return 0;
}

/* Send for so many seconds or messages; pace: messages a second. */
int do_source(void)
{
	struct peer *p = the_socket();
	size_t size = (size_t)number("size", 65536);
	uint64_t messages = 0, wanted = (uint64_t)number("count", 1e18);
	double pace = number("pace", 0), seconds = number("seconds", 1e9);
	struct sctp_sndinfo info = send_info();
	struct mark begin = mark();

	if (!p || size < 1 || size > LARGEST)
		return wrong("socket or size");
	limit(number("timeout", 10));
	fill_content((unsigned long)number("seed", 0), size);
	usrsctp_set_non_blocking(p->so, 0);
	while (messages < wanted && now() - begin.time < seconds) {
		double early = pace > 0 ? begin.time + (double)messages / pace - now() : 0;

		if (early > 0)
			usleep((useconds_t)(early * 1e6));
		if (usrsctp_sendv(p->so, content, size, NULL, 0, &info, sizeof(info), SCTP_SENDV_SNDINFO, 0) < 0) {
			p->end = strerrorname_np(errno) ? strerrorname_np(errno) : "?";
			break;
		}
		messages++;
	}
	usrsctp_set_non_blocking(p->so, 1);
	print_bulk(&begin, messages * size, messages, p->end);
	return 0;
}
