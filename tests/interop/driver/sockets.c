/*
 * Sockets, associations and their options.
 */
#define _GNU_SOURCE
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- text ---- */

const char *address_text(const struct sockaddr *address)
{
	static char text[INET6_ADDRSTRLEN];
	const void *raw = address->sa_family == AF_INET6
	                          ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
	                          : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;

	if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
		return "";
	return inet_ntop(address->sa_family, raw, text, sizeof(text));
}

static void print_addresses(const char *name, const struct sockaddr *list, int count)
{
	const char *at = (const char *)list;

	fprintf(answer, ", \"%s\": [", name);
	for (int i = 0; i < count; i++) {
		const struct sockaddr *address = (const struct sockaddr *)(const void *)at;
		fprintf(answer, "%s\"%s\"", i ? ", " : "", address_text(address));
		at += address_length(address);
	}
	fprintf(answer, "]");
}

/* ---- commands ---- */

int do_socket(void)
{
	static const uint16_t types[] = {SCTP_ASSOC_CHANGE, SCTP_PEER_ADDR_CHANGE, SCTP_SHUTDOWN_EVENT,
	                                 SCTP_REMOTE_ERROR, SCTP_SEND_FAILED_EVENT, SCTP_STREAM_RESET_EVENT,
	                                 SCTP_ASSOC_RESET_EVENT, SCTP_STREAM_CHANGE_EVENT, SCTP_ADAPTATION_INDICATION};
	bool many = strcmp(word("style", "one-to-one"), "one-to-many") == 0;
	int family = number("family", 4) == 6 ? AF_INET6 : AF_INET, on = 1;
	struct socket *so =
		usrsctp_socket(family, many ? SOCK_SEQPACKET : SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);

	if (!so)
		return failed("socket");
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct sctp_event event = {.se_assoc_id = SCTP_FUTURE_ASSOC, .se_type = types[i], .se_on = 1};
		if (usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof(event)) < 0)
			return failed("SCTP_EVENT");
	}
	if (usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_RECVRCVINFO, &on, sizeof(on)) < 0)
		return failed("SCTP_RECVRCVINFO");
	return adopt(so, many);
}

/* SCTP_INTERLEAVING_SUPPORTED, which usrsctp has, but not in its header. */
enum { INTERLEAVING_SUPPORTED = 0x1206 };

int do_set(void)
{
	struct peer *p = the_socket();
	int on = (int)number("nodelay", 0);
	struct sctp_udpencaps encaps = {.sue_port = htons((uint16_t)number("udp_port", 0))};
	struct sctp_initmsg init = {.sinit_num_ostreams = (uint16_t)number("streams", 0)};
	struct sctp_rtoinfo rto = {.srto_initial = (uint32_t)number("rto_initial", 0),
	                           .srto_min = (uint32_t)number("rto_min", 0),
	                           .srto_max = (uint32_t)number("rto_max", 0)};
	struct sctp_assocparams limits = {.sasoc_asocmaxrxt = (uint16_t)number("association_retrans", 0)};
	struct sctp_paddrparams path = {.spp_pathmaxrxt = (uint16_t)number("path_retrans", 0)};
	struct sctp_sack_info sack = {.sack_delay = (uint32_t)number("sack_delay", 0),
	                              .sack_freq = (uint32_t)number("sack_frequency", 0)};

	if (!p)
		return wrong("socket");
	encaps.sue_address.ss_family = AF_INET;
	path.spp_address.ss_family = AF_INET;
	if (word("heartbeat", NULL)) {
		path.spp_hbinterval = (uint32_t)number("heartbeat", 0);
		path.spp_flags |= path.spp_hbinterval ? SPP_HB_ENABLE : SPP_HB_DISABLE;
	}
	if (word("path_mtu", NULL)) {
		path.spp_pathmtu = (uint32_t)number("path_mtu", 0);
		path.spp_flags |= SPP_PMTUD_DISABLE;
	}
	int level = 2;                         /* of SCTP_FRAGMENT_INTERLEAVE */
	struct sctp_assoc_value interleaving = {.assoc_value = 1};
	struct sctp_assoc_value allow = {.assoc_value = (uint32_t)number("allow", 0)};
	struct sctp_assoc_value scheduler = {.assoc_value = (uint32_t)number("scheduler", 0)};
#define SET(wanted, option, value) \
	if ((wanted) && usrsctp_setsockopt(p->so, IPPROTO_SCTP, option, &(value), sizeof(value)) < 0) \
		return failed(#option)
	SET(encaps.sue_port, SCTP_REMOTE_UDP_ENCAPS_PORT, encaps);
	SET(word("nodelay", NULL), SCTP_NODELAY, on);
	SET(init.sinit_num_ostreams, SCTP_INITMSG, init);
	SET(rto.srto_initial || rto.srto_min || rto.srto_max, SCTP_RTOINFO, rto);
	SET(limits.sasoc_asocmaxrxt, SCTP_ASSOCINFO, limits);
	SET(path.spp_pathmaxrxt || path.spp_flags, SCTP_PEER_ADDR_PARAMS, path);
	SET(sack.sack_delay || sack.sack_freq, SCTP_DELAYED_SACK, sack);
	SET(word("allow", NULL), SCTP_ENABLE_STREAM_RESET, allow);
	SET(number("interleaving", 0) > 0, SCTP_FRAGMENT_INTERLEAVE, level);
	SET(number("interleaving", 0) > 0, INTERLEAVING_SUPPORTED, interleaving);
	SET(word("scheduler", NULL), SCTP_PLUGGABLE_SS, scheduler);
#undef SET
	return 0;
}

int do_bind(void)
{
	struct peer *p = the_socket();
	struct address_list list;
	struct sockaddr *bound;
	uint16_t port;

	if (!p || !addresses("addresses", (uint16_t)number("port", 0), &list))
		return wrong("socket or addresses");
	struct sockaddr *first = (struct sockaddr *)&list.address[0];
	if (usrsctp_bind(p->so, first, address_length(first)) < 0)
		return failed("bind");
	if (usrsctp_getladdrs(p->so, 0, &bound) < 1)
		return failed("getladdrs");
	port = ((struct sockaddr_in *)(void *)bound)->sin_port; /* at the same place in sockaddr_in6 */
	usrsctp_freeladdrs(bound);
	for (int i = 1; i < list.count; i++) {
		((struct sockaddr_in *)&list.address[i])->sin_port = port;
		if (usrsctp_bindx(p->so, (struct sockaddr *)&list.address[i], 1, SCTP_BINDX_ADD_ADDR) < 0)
			return failed("bindx");
	}
	fprintf(answer, ", \"port\": %u", ntohs(port));
	return 0;
}

int do_listen(void)
{
	struct peer *p = the_socket();

	if (!p)
		return wrong("socket");
	return usrsctp_listen(p->so, 64) < 0 ? failed("listen") : 0;
}

int do_accept(void)
{
	struct peer *p = the_socket();
	double until = deadline();

	if (!p)
		return wrong("socket");
	for (;;) {
		uint64_t seen = wakeups();
		struct socket *so = usrsctp_accept(p->so, NULL, NULL);
		if (so)
			return adopt(so, false);
		if (errno != EWOULDBLOCK)
			return failed("accept");
		if (!doze(seen, until))
			return late("nobody connected");
	}
}

/* Wait for the outcome of a connect that has begun, to this address among others. */
static int await_connected(struct peer *p, struct sockaddr *address)
{
	uint32_t association = usrsctp_getassocid(p->so, address);
	double until = deadline();

	for (;;) {
		uint64_t seen = wakeups();

		while (take(p))
			;
		if (find_event(p, "comm_up", association)) {
			fprintf(answer, ", \"association\": %u", find_event(p, "comm_up", association)->association);
			return 0;
		}
		if (find_event(p, "cannot_start", association) || find_event(p, "comm_lost", association) || *p->end) {
			errno = ECONNREFUSED;
			return failed("refused");
		}
		if (!doze(seen, until))
			return late("no answer");
	}
}

int do_connect(void)
{
	struct peer *p = the_socket();
	struct address_list list;
	struct sockaddr *address = (struct sockaddr *)&list.address[0];

	if (!p || !addresses("address", (uint16_t)number("port", 0), &list))
		return wrong("socket or address");
	if (usrsctp_connect(p->so, address, address_length(address)) < 0 && errno != EINPROGRESS)
		return failed("refused");
	return await_connected(p, address);
}

int do_connectx(void)
{
	struct peer *p = the_socket();
	struct address_list list;
	uint8_t packed[sizeof(list.address)];
	size_t used = 0;

	if (!p || !addresses("addresses", (uint16_t)number("port", 0), &list))
		return wrong("socket or addresses");
	for (int i = 0; i < list.count; i++) {
		const struct sockaddr *address = (const struct sockaddr *)&list.address[i];
		memcpy(packed + used, address, address_length(address));
		used += address_length(address);
	}
	if (usrsctp_connectx(p->so, (struct sockaddr *)(void *)packed, list.count, NULL) < 0 && errno != EINPROGRESS)
		return failed("refused");
	return await_connected(p, (struct sockaddr *)&list.address[0]);
}

int do_shutdown(void)
{
	struct peer *p = the_socket();
	struct sctp_sndinfo info = {.snd_flags = SCTP_EOF, .snd_assoc_id = (sctp_assoc_t)number("association", 0)};

	if (!p)
		return wrong("socket");
	if (!p->many)
		return usrsctp_shutdown(p->so, SHUT_WR) < 0 ? failed("shutdown") : 0;
	if (usrsctp_sendv(p->so, "", 0, NULL, 0, &info, sizeof(info), SCTP_SENDV_SNDINFO, 0) < 0)
		return failed("SCTP_EOF");
	return 0;
}

int do_close(void)
{
	struct peer *p = the_socket();

	if (!p)
		return wrong("socket");
	usrsctp_set_upcall(p->so, NULL, NULL);
	usrsctp_close(p->so);
	p->so = NULL;
	return 0;
}

int do_abort(void)
{
	struct peer *p = the_socket();
	const char *reason = word("reason", NULL);
	struct linger now_or_never = {.l_onoff = 1, .l_linger = 0};
	struct sctp_sndinfo info = {.snd_flags = SCTP_ABORT, .snd_assoc_id = (sctp_assoc_t)number("association", 0)};

	if (!p)
		return wrong("socket");
	if (reason) {
		ssize_t n =
			usrsctp_sendv(p->so, reason, strlen(reason), NULL, 0, &info, sizeof(info), SCTP_SENDV_SNDINFO, 0);
		return n < 0 ? failed("SCTP_ABORT") : 0;
	}
	if (usrsctp_setsockopt(p->so, SOL_SOCKET, SO_LINGER, &now_or_never, sizeof(now_or_never)) < 0)
		return failed("SO_LINGER");
	return do_close();
}

int do_peeloff(void)
{
	struct peer *p = the_socket();
	struct socket *so = p ? usrsctp_peeloff(p->so, (sctp_assoc_t)number("association", 0)) : NULL;

	return so ? adopt(so, false) : failed("peeloff");
}

int do_primary(void)
{
	struct peer *p = the_socket();
	struct sctp_setprim primary = {.ssp_assoc_id = (sctp_assoc_t)number("association", 0)};
	struct address_list list;

	if (!p || !addresses("address", 0, &list))
		return wrong("socket or address");
	primary.ssp_addr = list.address[0];
	if (usrsctp_setsockopt(p->so, IPPROTO_SCTP, SCTP_PRIMARY_ADDR, &primary, sizeof(primary)) < 0)
		return failed("SCTP_PRIMARY_ADDR");
	return 0;
}

/* ---- stream reconfiguration ---- */

int do_reset(void)
{
	struct peer *p = the_socket();
	struct {
		struct sctp_reset_streams head;
		uint16_t list[64];
	} wanted = {.head = {.srs_flags = 0}};
	char text[512], *rest = text, *one;

	if (!p)
		return wrong("socket");
	if (number("outgoing", 0) > 0)
		wanted.head.srs_flags |= SCTP_STREAM_RESET_OUTGOING;
	if (number("incoming", 0) > 0)
		wanted.head.srs_flags |= SCTP_STREAM_RESET_INCOMING;
	snprintf(text, sizeof(text), "%s", word("streams", ""));
	while (*text && (one = strsep(&rest, ",")) && wanted.head.srs_number_streams < 64)
		wanted.list[wanted.head.srs_number_streams++] = (uint16_t)atoi(one);
	if (usrsctp_setsockopt(p->so, IPPROTO_SCTP, SCTP_RESET_STREAMS, &wanted,
	                       (socklen_t)(sizeof(wanted.head) + 2 * wanted.head.srs_number_streams)) < 0)
		return failed("SCTP_RESET_STREAMS");
	return 0;
}

int do_reset_all(void)
{
	struct peer *p = the_socket();
	sctp_assoc_t association = (sctp_assoc_t)number("association", 0);

	if (!p)
		return wrong("socket");
	if (usrsctp_setsockopt(p->so, IPPROTO_SCTP, SCTP_RESET_ASSOC, &association, sizeof(association)) < 0)
		return failed("SCTP_RESET_ASSOC");
	return 0;
}

int do_add(void)
{
	struct peer *p = the_socket();
	struct sctp_add_streams wanted = {.sas_instrms = (uint16_t)number("incoming", 0),
	                                  .sas_outstrms = (uint16_t)number("outgoing", 0)};

	if (!p)
		return wrong("socket");
	if (usrsctp_setsockopt(p->so, IPPROTO_SCTP, SCTP_ADD_STREAMS, &wanted, sizeof(wanted)) < 0)
		return failed("SCTP_ADD_STREAMS");
	return 0;
}

int do_heartbeat(void)
{
	struct peer *p = the_socket();
	struct sctp_paddrparams path = {.spp_assoc_id = (sctp_assoc_t)number("association", 0), .spp_flags = SPP_HB_DEMAND};
	struct address_list list;

	if (!p || !addresses("address", 0, &list))
		return wrong("socket or address");
	path.spp_address = list.address[0];
	if (usrsctp_setsockopt(p->so, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof(path)) < 0)
		return failed("SPP_HB_DEMAND");
	return 0;
}

static const char *state_name(int state)
{
	static const struct { int state; const char *name; } names[] = {
		{SCTP_CLOSED, "closed"}, {SCTP_COOKIE_WAIT, "cookie_wait"}, {SCTP_COOKIE_ECHOED, "cookie_echoed"},
		{SCTP_ESTABLISHED, "established"}, {SCTP_SHUTDOWN_SENT, "shutdown_sent"},
		{SCTP_SHUTDOWN_RECEIVED, "shutdown_received"}, {SCTP_SHUTDOWN_ACK_SENT, "shutdown_ack_sent"},
		{SCTP_SHUTDOWN_PENDING, "shutdown_pending"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].state == state)
			return names[i].name;
	return "other";
}

static void print_path(const struct sctp_paddrinfo *path)
{
	const char *state = path->spinfo_state == SCTP_ACTIVE     ? "active"
	                    : path->spinfo_state == SCTP_INACTIVE ? "inactive"
	                                                          : "unconfirmed";

	fprintf(answer, "{\"address\": \"%s\", \"state\": \"%s\", \"cwnd\": %u, \"srtt\": %u, \"rto\": %u, \"mtu\": %u}",
	        address_text((const struct sockaddr *)&path->spinfo_address), state, path->spinfo_cwnd, path->spinfo_srtt,
	        path->spinfo_rto, path->spinfo_mtu);
}

#ifndef SCTP_PR_SCTP_ALL
#define SCTP_PR_SCTP_ALL 0x000f            /* usrsctp knows it, and its header does not say so */
#endif

/* Whether messages may be given up, and how many were (RFC 7496 section 4). */
static void print_partial_reliability(struct peer *p, sctp_assoc_t association)
{
	struct sctp_assoc_value supported = {.assoc_id = association};
	struct sctp_prstatus given_up = {.sprstat_assoc_id = association, .sprstat_policy = SCTP_PR_SCTP_ALL};
	socklen_t length = sizeof(supported);

	if (usrsctp_getsockopt(p->so, IPPROTO_SCTP, SCTP_PR_SUPPORTED, &supported, &length) == 0)
		fprintf(answer, ", \"partial_reliability\": %s", supported.assoc_value ? "true" : "false");
	length = sizeof(given_up);
	if (usrsctp_getsockopt(p->so, IPPROTO_SCTP, SCTP_PR_ASSOC_STATUS, &given_up, &length) == 0)
		fprintf(answer, ", \"abandoned\": [%llu, %llu]", (unsigned long long)given_up.sprstat_abandoned_unsent,
		        (unsigned long long)given_up.sprstat_abandoned_sent);
}

int do_status(void)
{
	struct peer *p = the_socket();
	struct sctp_status status = {.sstat_assoc_id = (sctp_assoc_t)number("association", 0)};
	socklen_t length = sizeof(status);
	struct sockaddr *paths;
	const char *at;
	int count;

	if (!p)
		return wrong("socket");
	if (usrsctp_getsockopt(p->so, IPPROTO_SCTP, SCTP_STATUS, &status, &length) < 0)
		return failed("SCTP_STATUS");
	fprintf(answer, ", \"association\": %u, \"state\": \"%s\", \"rwnd\": %u, \"unacknowledged\": %u, \"pending\": %u",
	        status.sstat_assoc_id, state_name(status.sstat_state), status.sstat_rwnd, status.sstat_unackdata,
	        status.sstat_penddata);
	fprintf(answer, ", \"inbound\": %u, \"outbound\": %u, \"primary\": \"%s\", \"paths\": [", status.sstat_instrms,
	        status.sstat_outstrms, address_text((const struct sockaddr *)&status.sstat_primary.spinfo_address));
	count = usrsctp_getpaddrs(p->so, status.sstat_assoc_id, &paths);
	at = (const char *)paths;
	for (int i = 0; i < count; i++) {
		struct sctp_paddrinfo path = {.spinfo_assoc_id = status.sstat_assoc_id};
		const struct sockaddr *address = (const struct sockaddr *)(const void *)at;

		memcpy(&path.spinfo_address, address, address_length(address));
		at += address_length(address);
		length = sizeof(path);
		if (usrsctp_getsockopt(p->so, IPPROTO_SCTP, SCTP_GET_PEER_ADDR_INFO, &path, &length) < 0)
			continue;
		fprintf(answer, "%s", i ? ", " : "");
		print_path(&path);
	}
	fprintf(answer, "]");
	if (count > 0)
		usrsctp_freepaddrs(paths);
	print_partial_reliability(p, status.sstat_assoc_id);
	return 0;
}

int do_local(void)
{
	struct peer *p = the_socket();
	struct sockaddr *list;
	int count;

	if (!p || (count = usrsctp_getladdrs(p->so, (sctp_assoc_t)number("association", 0), &list)) < 1)
		return failed("getladdrs");
	print_addresses("addresses", list, count);
	usrsctp_freeladdrs(list);
	return 0;
}
