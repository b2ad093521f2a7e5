/*
 * "bare_empty" does nothing. It is linked as ovlctl is, with the C library shared: what it
 * costs to start any such program.
 */
int main(void)
{
	return 0;
}
