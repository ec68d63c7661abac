/* A library that is no module. */
int none_of_it(void);

int none_of_it(void)
{
    return 1;
}
