"""Client libraries: the tenant goes along with requests to hosts inside, and to no others."""
