/** What the vocabulary of the small encoder is made of. Words that are not in it are written in pieces. */
export const ENGLISH = `
The people who live in this town know each other by name. When the morning train comes in, a few women and men get off, buy a newspaper
and a cup of coffee, and walk to the office across the street. The children go to school at eight and come home in the afternoon. On
Saturday there is a market with bread, milk, cheese, eggs, apples, fish and flowers. On Sunday the shops are closed, and we visit our
friends or take a long walk along the river.

My doctor said that I must take this medicine every day for a week and come back on Monday. She will call me at nine if the result of
the test is here before that. Please do not tell anybody. We meet at the station on Friday evening; bring the money and your keys. I love
you and I miss you. He was born in the year of the great war and never saw his father again. They have paid the bill for the hotel with
a card, and the bank has sent a letter about it. What is your password? It is a secret that nobody should ever read. You can be sure
that the data never leave your phone. I will send the report to the whole team tomorrow, or next month at the latest. The price of the
house is too high for us now. How are you? I feel much better today, thank you very much.
`
