"""Who is calling and what they may do: partners, their credentials, their fair share."""
