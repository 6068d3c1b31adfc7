/*
 * Authentication (RFC 4895): what is demanded of the other side, and shared keys.
 */
#define _GNU_SOURCE
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* usrsctp has the option without a struct for it in its header. */
struct hmac_list {
	uint32_t count;
	uint16_t idents[4];
};

/* Each number of a list, separated by commas: how many there are, at most `most`. */
static int numbers(const char *key, int *list, int most)
{
	char text[256], *rest = text, *one;
	int count = 0;

	snprintf(text, sizeof(text), "%s", word(key, ""));
	while (*text && (one = strsep(&rest, ",")) && count < most)
		list[count++] = atoi(one);
	return count;
}

static int set_key(struct peer *p, sctp_assoc_t association)
{
	const char *secret = word("secret", "");
	size_t length = strlen(secret);
	struct {
		struct sctp_authkey head;
		char secret[256];
	} key;

	memset(&key, 0, sizeof(key));
	key.head.sca_assoc_id = association;
	key.head.sca_keynumber = (uint16_t)number("key", 0);
	key.head.sca_keylength = (uint16_t)length;
	memcpy((char *)&key + sizeof(key.head), secret, length < sizeof(key.secret) ? length : sizeof(key.secret));
	return usrsctp_setsockopt(p->so, IPPROTO_SCTP, SCTP_AUTH_KEY, &key, (socklen_t)(sizeof(key.head) + length));
}

static int with_key(struct peer *p, sctp_assoc_t association, const char *name, int option)
{
	struct sctp_authkeyid id = {.scact_assoc_id = association, .scact_keynumber = (uint16_t)number(name, 0)};

	return word(name, NULL) ? usrsctp_setsockopt(p->so, IPPROTO_SCTP, option, &id, sizeof(id)) : 0;
}

static void print_chunks(struct peer *p, sctp_assoc_t association, const char *name, int option)
{
	struct {
		sctp_assoc_t association;
		uint32_t count;                    /* the library has it, and its header does not say so */
		uint8_t list[256];
	} chunks = {.association = association};
	socklen_t length = sizeof(chunks);

	if (usrsctp_getsockopt(p->so, IPPROTO_SCTP, option, &chunks, &length) < 0)
		return;
	fprintf(answer, ", \"%s\": [", name);
	for (uint32_t i = 0; i < chunks.count; i++)
		fprintf(answer, "%s%u", i ? ", " : "", chunks.list[i]);
	fprintf(answer, "]");
}

int do_auth(void)
{
	struct peer *p = the_socket();
	sctp_assoc_t association = (sctp_assoc_t)number("association", 0);
	struct sctpstat stats;
	int list[32], count;

	if (!p)
		return wrong("socket");
	if (word("events", NULL)) {
		struct sctp_event event = {.se_assoc_id = SCTP_FUTURE_ASSOC, .se_type = SCTP_AUTHENTICATION_EVENT, .se_on = 1};
		if (usrsctp_setsockopt(p->so, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof(event)) < 0)
			return failed("SCTP_EVENT");
	}
	count = numbers("chunks", list, 32);
	for (int i = 0; i < count; i++) {
		struct sctp_authchunk chunk = {.sauth_chunk = (uint8_t)list[i]};
		if (usrsctp_setsockopt(p->so, IPPROTO_SCTP, SCTP_AUTH_CHUNK, &chunk, sizeof(chunk)) < 0)
			return failed("SCTP_AUTH_CHUNK");
	}
	count = numbers("hmac", list, 4);
	if (count) {
		struct hmac_list wanted = {.count = (uint32_t)count};
		for (int i = 0; i < count; i++)
			wanted.idents[i] = (uint16_t)list[i];
		if (usrsctp_setsockopt(p->so, IPPROTO_SCTP, SCTP_HMAC_IDENT, &wanted, (socklen_t)(4 + 2 * count)) < 0)
			return failed("SCTP_HMAC_IDENT");
	}
	if (word("key", NULL) && set_key(p, association) < 0)
		return failed("SCTP_AUTH_KEY");
	if (with_key(p, association, "active", SCTP_AUTH_ACTIVE_KEY) < 0)
		return failed("SCTP_AUTH_ACTIVE_KEY");
	if (with_key(p, association, "deactivate", SCTP_AUTH_DEACTIVATE_KEY) < 0)
		return failed("SCTP_AUTH_DEACTIVATE_KEY");
	if (with_key(p, association, "delete", SCTP_AUTH_DELETE_KEY) < 0)
		return failed("SCTP_AUTH_DELETE_KEY");
	print_chunks(p, association, "peer_chunks", SCTP_PEER_AUTH_CHUNKS);
	print_chunks(p, association, "local_chunks", SCTP_LOCAL_AUTH_CHUNKS);
	usrsctp_get_stat(&stats);
	fprintf(answer, ", \"auth_received\": %u, \"missing\": %u, \"auth_sent\": %u", stats.sctps_recvauth,
	        stats.sctps_recvauthmissing, stats.sctps_sendauth);
	return 0;
}
