/*
 * "bare_empty" does nothing. Linked to the shared C library, as ovlctl is, it shows what
 * it costs to start a program.
 */
int main(void)
{
	return 0;
}
