/*
 * The host as usrsctp sees it: which addresses it has, which one it sends from, which cables are cut.
 */
#ifndef SCTPX_INTEROP_HOST_H
#define SCTPX_INTEROP_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { HOST_ADDRESSES = 16 };

/* A set of IP addresses, in order; ports do not matter here. */
struct address_list {
	int count;
	struct sockaddr_storage address[HOST_ADDRESSES];
};

socklen_t address_length(const struct sockaddr *address);
bool same_address(const struct sockaddr *a, const struct sockaddr *b);

/* Before usrsctp_init: the addresses of this host. */
void host_set_addresses(const struct address_list *addresses);
/* The peer's i-th address is reached from the host's i-th; any other as the kernel has it. */
void host_set_routes(const struct address_list *peers);
/* Packets from or to one of these addresses vanish; an empty list mends everything. */
void host_cut(const struct address_list *addresses);
/* Of every n packets, counted over both directions, one vanishes; 0 for none. */
void host_lose(unsigned every);
/* Packets that vanished so far. */
uint64_t host_lost(void);

#endif
