/*
 * Addresses that change while associations live (RFC 5061), and the adaptation layer.
 */
#define _GNU_SOURCE
#include "peer.h"

/* Add or remove local addresses; usrsctp tells its peers. */
int do_change(void)
{
	struct peer *p = the_socket();
	struct address_list list;
	int flag = number("remove", 0) > 0 ? SCTP_BINDX_REM_ADDR : SCTP_BINDX_ADD_ADDR;

	if (!p || !addresses("addresses", 0, &list))
		return wrong("socket or addresses");
	for (int i = 0; i < list.count; i++)
		if (usrsctp_bindx(p->so, (struct sockaddr *)&list.address[i], 1, flag) < 0)
			return failed("bindx");
	return 0;
}

/* Ask the peer to send to this address of ours. */
int do_prefer(void)
{
	struct peer *p = the_socket();
	struct sctp_setpeerprim wanted = {.sspp_assoc_id = (sctp_assoc_t)number("association", 0)};
	struct address_list list;

	if (!p || !addresses("address", 0, &list))
		return wrong("socket or address");
	wanted.sspp_addr = list.address[0];
	if (usrsctp_setsockopt(p->so, IPPROTO_SCTP, SCTP_SET_PEER_PRIMARY_ADDR, &wanted, sizeof(wanted)) < 0)
		return failed("SCTP_SET_PEER_PRIMARY_ADDR");
	return 0;
}

/* What is told of the layer above, by associations to come. */
int do_adaptation(void)
{
	struct peer *p = the_socket();
	struct sctp_setadaptation layer = {.ssb_adaptation_ind = (uint32_t)number("layer", 0)};

	if (!p)
		return wrong("socket");
	if (usrsctp_setsockopt(p->so, IPPROTO_SCTP, SCTP_ADAPTATION_LAYER, &layer, sizeof(layer)) < 0)
		return failed("SCTP_ADAPTATION_LAYER");
	return 0;
}
